import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpError } from '../../../lib/http/http-error.ts';
import { serve, type TestServer } from '../../support/function-server.ts';
import { sendRaw } from '../../support/raw-http.ts';

const MB = 1024 * 1024;
type Body = NonNullable<RequestInit['body']>;
let server: TestServer;
let ready: boolean;

beforeEach(async () => {
  ready = true;
  server = await serve(
    async (request) => {
      if (request.path === '/fault') throw new Error('canary-internal');
      if (request.path === '/refusal') throw new HttpError(418, { type: 'teapot', msg: 'I am a teapot' });
      if (request.path === '/domain') {
        const { domain } = process as { domain?: object };
        return { status: 200, json: { inDomain: domain !== undefined && domain !== null } };
      }
      const { body, path, query } = request;
      return {
        status: 200,
        json: { path, query: query.toString(), bytes: body.length, start: body.toString('utf8', 0, 20) },
      };
    },
    async () => ready,
  );
});

afterEach(() => server[Symbol.asyncDispose]());

async function post(body: Body, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}/echo`, {
    method: 'POST',
    body,
    headers,
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

test('a handler runs outside of the domain that the framework makes for each request', async () => {
  expect(await (await fetch(`${server.url}/domain`)).json()).toEqual({ inDomain: false });
});

describe('a body', () => {
  test('comes to the function as it was sent', async () => {
    expect((await post('{"a": 1}')).json).toMatchObject({ bytes: 8, start: '{"a": 1}' });
    expect((await post('')).json).toMatchObject({ bytes: 0 });
  });

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
  ])('in %s is inflated', async (encoding, compress) => {
    const { json } = await post(compress('{"a": 1}'), { 'Content-Encoding': encoding });
    expect(json).toMatchObject({ bytes: 8, start: '{"a": 1}' });
  });

  test.each([
    ['not gzip at all', Buffer.from('canary-body')],
    ['long and not gzip', Buffer.alloc(8 * MB, 7)],
    ['cut off', gzipSync('canary-body'.repeat(50)).subarray(0, 25)],
    ['damaged', Buffer.concat([gzipSync('a').subarray(0, -8), Buffer.alloc(8, 1)])],
  ])('called gzip but %s is refused', async (_, body) => {
    expect(await post(body, { 'Content-Encoding': 'gzip' })).toMatchObject({
      status: 400,
      json: { detail: [{ type: 'body_unreadable', msg: 'The request body is cut off or not valid gzip' }] },
    });
  });

  test('is never shown, whatever it says it is and whatever is wrong with it', async () => {
    for (const type of [
      'application/json',
      'application/cloudevents+json',
      'application/x-www-form-urlencoded',
      'text/plain',
    ]) {
      // The framework's own parsers would stop at this, and print it.
      const answer = await post(`{"${'canary-body '.repeat(10)}`, { 'Content-Type': type });
      expect(answer).toMatchObject({ status: 200, json: { bytes: 122 } });
    }
    expect(server.lines.join('')).not.toContain('canary');
  });
});

describe('a request', () => {
  test.each([
    ['//', 'HTTP/1.1 200'],
    ['//[', 'HTTP/1.1 200'],
    ['/\\\\[', 'HTTP/1.1 200'],
    ['/%ZZ', 'HTTP/1.1 404'],
    ['/%ff', 'HTTP/1.1 404'],
    ['*', 'HTTP/1.1 404'],
    ['http://[/', 'HTTP/1.1 404'],
  ])('for %s is answered in JSON, never as a fault of ours', async (target, start) => {
    const answer = await sendRaw(server, `GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close', '', '');
    expect(answer.slice(0, start.length)).toBe(start);
    expect(answer).toContain('Content-Type: application/json');
    expect(answer).not.toMatch(/node_modules|crash/);
  });

  test('has its path and query as they were sent', async () => {
    const response = await fetch(`${server.url}/a%2Fb/?source=1&x=a?b`);
    expect(await response.json()).toMatchObject({ path: '/a%2Fb/', query: 'source=1&x=a%3Fb' });
  });

  test('that is refused is told so in the form of FastAPI', async () => {
    const response = await fetch(`${server.url}/refusal`);
    expect(response.status).toBe(418);
    expect(await response.json()).toEqual({ detail: [{ type: 'teapot', msg: 'I am a teapot' }] });
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('that meets a fault of ours is told nothing of it, but the log is', async () => {
    const response = await fetch(`${server.url}/fault`);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe(
      '{"detail":[{"type":"internal_error","msg":"Internal server error"}]}',
    );
    expect(server.lines.join('')).toContain('canary-internal');
  });
});

const statusOf = async (path: string) => (await fetch(server.url + path)).status;

describe('the probes', () => {
  test('say live always and ready when the function is', async () => {
    expect(await statusOf('/health/live')).toBe(200);
    expect(await statusOf('/health/ready')).toBe(200);
    ready = false;
    expect(await statusOf('/health/live')).toBe(200);
    expect(await statusOf('/health/ready')).toBe(503);
  });
});
