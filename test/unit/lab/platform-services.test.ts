import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { discover, DiscoveryError } from '../../../lib/discovery.ts';
import { Gafaelfawr, GafaelfawrError, tokenInfo, tokenKey } from '../../../lib/gafaelfawr.ts';

interface Seen {
  call: string;
  authorization: string | undefined;
  body: unknown;
}

let server: Server;
let base: string;
let seen: Seen[];
let answers: { status: number; body?: string }[];
const signal = AbortSignal.timeout(30_000);

beforeEach(async () => {
  seen = [];
  answers = [];
  server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('discovery', () => {
  test('finds Gafaelfawr and Nublado', async () => {
    const gafaelfawr = { url: 'https://x.org/auth', versions: { v1: { url: 'https://x.org/auth/api/v1/' } } };
    answer(200, { services: { internal: { gafaelfawr }, ui: { nublado: { url: 'https://nb.x.org/nb' } } } });
    await expect(discover(`${base}/repertoire/`, signal)).resolves.toEqual({
      gafaelfawrUrl: 'https://x.org/auth/api/v1',
      hubUrl: 'https://nb.x.org/nb',
    });
    expect(seen[0]?.call).toBe('GET /repertoire/discovery');
  });

  test.each([
    [
      'a service that is missing',
      200,
      '{"services":{"internal":{},"ui":{"nublado":{"url":"https://x"}}}}',
      /does not name services.internal.gafaelfawr/,
    ],
    ['no JSON', 200, '<html>', /does not answer JSON/],
    ['an error', 404, '', /answers 404: check REPERTOIRE_BASE_URL/],
  ])('%s is said', async (_, status, body, message) => {
    answers.push({ status, body });
    const error: unknown = await discover(base, signal).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DiscoveryError);
    expect(String(error)).toMatch(message);
  });

  test('a service out of reach is said', async () => {
    await expect(discover('http://127.0.0.1:1', signal)).rejects.toThrow(
      /cannot be reached: check REPERTOIRE/,
    );
  });
});

describe('Gafaelfawr', () => {
  const wire = {
    token: 'k1',
    username: 'bot-a',
    token_type: 'service',
    scopes: ['exec:notebook'],
    expires: 1_800_000_000,
  };
  const info = {
    key: 'k1',
    username: 'bot-a',
    tokenType: 'service',
    scopes: ['exec:notebook'],
    expires: new Date(1_800_000_000_000),
  };

  test('mints a service token', async () => {
    answer(201, { token: 'gt-abc.def' });
    const expires = new Date('2026-01-01T00:00:00.900Z');
    const request = {
      username: 'bot-a',
      scopes: ['exec:notebook'],
      expires,
      uid: 5,
    };
    const token = await new Gafaelfawr(base, 'gt-admin.s').createServiceToken(request, signal);
    expect(token).toBe('gt-abc.def');
    expect(tokenKey(token)).toBe('abc');
    const body = {
      token_type: 'service',
      username: 'bot-a',
      scopes: ['exec:notebook'],
    };
    expect(seen).toEqual([
      {
        call: 'POST /tokens',
        authorization: 'Bearer gt-admin.s',
        body: { ...body, expires: 1_767_225_600, uid: 5 },
      },
    ]);
  });

  test('lists and deletes; one that is gone is fine', async () => {
    const gafaelfawr = new Gafaelfawr(base, 'gt-admin.s');
    answer(200, [wire, { ...wire, expires: null }]);
    await expect(gafaelfawr.listTokens('bot-a', signal)).resolves.toEqual([
      info,
      { ...info, expires: undefined },
    ]);
    answers.push({ status: 204 }, { status: 404 });
    await gafaelfawr.deleteToken('bot-a', 'k1', signal);
    await gafaelfawr.deleteToken('bot-a', 'k1', signal);
    expect(seen.at(-1)?.call).toBe('DELETE /users/bot-a/tokens/k1');
  });

  test('tells whose a token is, or that it is none', async () => {
    answer(200, wire);
    answers.push({ status: 401, body: '{}' });
    await expect(tokenInfo(base, 'gt-user.s', signal)).resolves.toEqual(info);
    await expect(tokenInfo(base, 'gt-user.s', signal)).resolves.toBeUndefined();
    expect(seen[0]?.authorization).toBe('Bearer gt-user.s');
  });

  test.each([
    [401, false, /check NOTEBURST_GAFAELFAWR_TOKEN/],
    [403, false, /needs admin:token/],
    [422, false, /does not take the user name/],
    [503, true, /answered 503. Try again later/],
  ])('%s is an error with advice', async (status, transient, message) => {
    answers.push({ status, body: 'gt-leak.secret' });
    const error: unknown = await new Gafaelfawr(base, 'gt-admin.s')
      .listTokens('bot-a', signal)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(GafaelfawrError);
    expect(error).toMatchObject({ status, transient });
    expect(String(error)).toMatch(message);
    expect(String(error)).not.toMatch(/gt-/);
  });

  test.each([
    ['a redirect', { status: 302 }, /got no answer/],
    ['no JSON', { status: 200, body: '<' }, /without JSON/],
    ['another shape', { status: 200, body: '{"token":1}' }, /another shape than we know \(token, username/],
  ])('%s is never taken for an answer', async (_, given, message) => {
    answers.push(given);
    await expect(tokenInfo(base, 'gt-user.s', signal)).rejects.toThrow(message);
  });
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { authorization } = request.headers;
  seen.push({ call: `${request.method} ${request.url}`, authorization, body: await readJson(request) });
  const { status, body } = answers.shift() ?? { status: 500 };
  response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end(body);
}

function answer(status: number, body: unknown): void {
  answers.push({ status, body: JSON.stringify(body) });
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text ? JSON.parse(text) : undefined;
}
