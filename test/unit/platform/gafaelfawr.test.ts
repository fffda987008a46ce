import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from 'undici';
import { startOrigin, type Origin } from '../../../platform/origin/origin.ts';
import { serialize, TokenStore } from '../../../platform/origin/token-store.ts';

const bot = (extra: object = {}) => ({
  username: 'bot-noteburst01',
  token_type: 'service',
  scopes: ['exec:notebook'],
  expires: Math.floor(Date.now() / 1000) + 3600,
  ...extra,
});

describe("Gafaelfawr's API", () => {
  const store = new TokenStore();
  const admin = serialize(
    store.create({ username: 'bot-admin', tokenType: 'service', scopes: ['admin:token'] }),
  );
  const alice = serialize(store.create({ username: 'alice', tokenType: 'user', tokenName: 'a', scopes: [] }));
  let origin: Origin;
  beforeAll(async () => {
    origin = await startOrigin(store, {});
  });
  afterAll(() => origin.close());

  const call = async (
    token: string,
    path: string,
    method: 'GET' | 'POST' | 'DELETE' = 'GET',
    body?: unknown,
  ) => {
    const response = await request(`${origin.url}/auth/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers,
      body: text ? (JSON.parse(text) as unknown) : undefined,
    };
  };

  it('creates, shows, lists and deletes the token of a bot', async () => {
    const created = await call(admin, 'tokens', 'POST', bot({ uid: 9000, gid: 9001 }));
    expect(created.status).toBe(201);
    const { token } = created.body as { token: string };
    expect(token).toMatch(/^gt-[\w-]{22}\.[\w-]{22}$/);
    const key = token.slice(3, 25);
    expect(created.headers['location']).toBe(`/auth/api/v1/users/bot-noteburst01/tokens/${key}`);

    const info = await call(token, 'token-info');
    expect(info.body).toEqual({
      token: key,
      username: 'bot-noteburst01',
      token_type: 'service',
      scopes: ['exec:notebook'],
      created: expect.any(Number) as number,
      expires: expect.any(Number) as number,
    });
    expect((await call(token, 'user-info')).body).toMatchObject({
      username: 'bot-noteburst01',
      uid: 9000,
      gid: 9001,
    });
    expect((await call(admin, 'users/bot-noteburst01/tokens')).body).toEqual([info.body]);

    expect((await call(admin, `users/bot-noteburst01/tokens/${key}`, 'DELETE')).status).toBe(204);
    expect((await call(admin, `users/bot-noteburst01/tokens/${key}`, 'DELETE')).status).toBe(404);
    expect((await call(token, 'token-info')).status).toBe(401);
  });

  it('deletes what was delegated with the token it was delegated from', () => {
    const parent = store.create({
      username: 'carol',
      tokenType: 'user',
      tokenName: 'c',
      scopes: ['exec:notebook'],
    });
    const child = store.delegate(parent, { type: 'notebook' });
    store.delete(parent.key);
    expect(store.verify(serialize(child))).toBeUndefined();
  });

  it.each([
    ['a service token for a person', bot({ username: 'alice' }), 403, /must start with \\"bot-\\"/],
    ['a bad username', bot({ username: 'Bot!' }), 422, /username/],
    ['a named service token', bot({ token_name: 'x' }), 422, /cannot have a name/],
    ['a nameless user token', bot({ token_type: 'user' }), 422, /must have a name/],
    ['a token that has expired', bot({ expires: 1 }), 422, /expired/],
    ['another type', bot({ token_type: 'internal' }), 422, /token_type/],
    ['no JSON', '{', 422, /json_invalid/],
  ])('refuses %s', async (_what, body, status, message) => {
    const answer = await call(admin, 'tokens', 'POST', body);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body).replaceAll('\\\\', '\\')).toMatch(message);
  });

  it('lets only the administrator create tokens and see those of others', async () => {
    expect((await call(alice, 'tokens', 'POST', bot())).status).toBe(403);
    expect((await call(alice, 'users/bob/tokens')).status).toBe(403);
    expect((await call(alice, 'users/alice/tokens')).status).toBe(200);
    expect((await call('nonsense', 'token-info')).status).toBe(401);
    expect((await call(admin, 'nonsense')).status).toBe(404);
  });
});
