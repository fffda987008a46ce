import { on, once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startOrigin, upstreamOf, type Origin } from '../../../platform/origin/origin.ts';
import { serialize, TokenStore } from '../../../platform/origin/token-store.ts';

interface Seen {
  url: string;
  headers: Record<string, string>;
}

/** An upstream that answers with what it was sent. */
async function echo(name: string, onRequest?: (req: IncomingMessage) => void): Promise<[Server, string]> {
  const server = createServer((req, res) => {
    onRequest?.(req);
    res.setHeader('x-upstream', name);
    if (req.url?.endsWith('/events')) {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      return;
    }
    res.end(JSON.stringify({ url: req.url, headers: req.headers }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return [server, `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`];
}

describe('the ingress', () => {
  const store = new TokenStore();
  const user = store.create({
    username: 'alice',
    tokenType: 'user',
    tokenName: 't',
    scopes: ['exec:notebook'],
  });
  const other = store.create({ username: 'bob', tokenType: 'user', tokenName: 't', scopes: ['read:tap'] });
  const bearer = { authorization: `Bearer ${serialize(user)}` };
  let servers: Server[] = [];
  let origin: Origin;
  let closed = 0;

  beforeEach(async () => {
    closed = 0;
    const made = [
      await echo('submit'),
      await echo('status', (req) => req.socket.once('close', () => closed++)),
      await echo('hub'),
    ] as const;
    servers = made.map(([server]) => server);
    const [[, submit], [, status], [, hub]] = made;
    origin = await startOrigin(store, {
      submit: { url: submit },
      status: { url: status },
      hub: { url: hub },
    });
  });
  afterEach(async () => {
    await origin.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  const get = (path: string, headers: Record<string, string> = bearer) =>
    request(`${origin.url}${path}`, { headers });

  const delegatedAt = async (path: string) => {
    const response = await get(path);
    return ((await response.body.json()) as Seen).headers['x-auth-request-token'] ?? '';
  };

  it.each([
    ['/noteburst/v1/notebooks', 'submit'],
    ['/noteburst/v1/notebooks/', 'submit'],
    ['/noteburst/v1/notebooks/1', 'status'],
    ['/noteburst', 'status'],
    ['/noteburst/', 'status'],
    ['/noteburst/docs', 'status'],
    ['/noteburstx', undefined],
    ['/nb/hub/home', 'hub'],
    ['/nb', 'hub'],
    ['/nbx', undefined],
    ['/', undefined],
  ])('sends %s to %s', (path, upstream) => {
    expect(upstreamOf(path)).toBe(upstream);
  });

  it('passes the path with its query on unchanged', async () => {
    const response = await get('/noteburst/v1/notebooks/1%2F2?source=true&x=%20');
    expect(response.headers['x-upstream']).toBe('status');
    expect(await response.body.json()).toMatchObject({
      url: '/noteburst/v1/notebooks/1%2F2?source=true&x=%20',
    });
  });

  it('says who is calling, with a token of its own, and believes nothing the caller says about that', async () => {
    const response = await get('/noteburst/v1/notebooks/1', {
      ...bearer,
      'X-Auth-Request-User': 'root',
      'x-auth-request-TOKEN': 'forged',
      'x-auth-request-groups': 'admins',
      'x-forwarded-for': '8.8.8.8',
      'x-forwarded-host': 'evil.example.org',
    });
    const { headers } = (await response.body.json()) as Seen;
    expect(headers['x-auth-request-user']).toBe('alice');
    expect(headers['x-auth-request-groups']).toBeUndefined();
    expect(headers['authorization']).toBeUndefined();
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(headers['x-forwarded-host']).toBe(new URL(origin.url).host);
    expect(headers['host']).toBe(new URL(origin.url).host);
    const delegated = store.verify(headers['x-auth-request-token'] ?? '');
    expect(delegated).toMatchObject({ username: 'alice', tokenType: 'internal', service: 'noteburst' });
    expect(delegated?.key).not.toBe(user.key);
  });

  it('delegates the same token again, and a notebook token to the hub', async () => {
    expect(await delegatedAt('/noteburst/')).toBe(await delegatedAt('/noteburst/v1/notebooks/'));
    expect(store.verify(await delegatedAt('/nb/hub/home'))).toMatchObject({ tokenType: 'notebook' });
  });

  it('takes the token in a Basic header, too', async () => {
    const basic = Buffer.from(`${serialize(user)}:x-oauth-basic`).toString('base64');
    expect((await get('/noteburst/', { authorization: `Basic ${basic}` })).statusCode).toBe(200);
  });

  it.each([
    ['no token', {}, 401, 'Bearer realm="127.0.0.1"'],
    ['a forged user', { 'x-auth-request-user': 'alice' }, 401, 'Bearer realm="127.0.0.1"'],
    ['a bad token', { authorization: 'Bearer gt-x.y' }, 401, 'error="invalid_token"'],
    [
      'a wrong secret',
      { authorization: `Bearer gt-${user.key}.${'A'.repeat(22)}` },
      401,
      'error="invalid_token"',
    ],
    ['too few scopes', { authorization: `Bearer ${serialize(other)}` }, 403, 'scope="exec:notebook"'],
  ])('refuses %s', async (_what, headers, status, challenge) => {
    for (const path of ['/noteburst/v1/notebooks/', '/nb/hub/home']) {
      const response = await get(path, headers);
      expect(response.statusCode).toBe(status);
      expect(response.headers['www-authenticate']).toContain(challenge);
      expect(await response.body.json()).toHaveProperty('detail');
    }
  });

  it('refuses an expired token', async () => {
    const expires = Date.now() / 1000 + 0.05;
    const short = store.create({
      username: 'alice',
      tokenType: 'service',
      scopes: ['exec:notebook'],
      expires,
    });
    const headers = { authorization: `Bearer ${serialize(short)}` };
    expect((await get('/noteburst/', headers)).statusCode).toBe(200);
    await sleep(80);
    expect((await get('/noteburst/', headers)).statusCode).toBe(401);
  });

  it('answers 502 for an upstream that is gone and 503 for one that never was', async () => {
    servers[1]?.closeAllConnections();
    servers[1]?.close();
    expect((await get('/noteburst/')).statusCode).toBe(502);
    const bare = await startOrigin(store, {});
    const response = await request(`${bare.url}/noteburst/`, { headers: bearer });
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('1');
    await bare.close();
  });

  it('streams, and hangs up upstream when the caller does', async () => {
    const response = await get('/noteburst/v1/notebooks/1/events');
    const chunks = response.body[Symbol.asyncIterator]();
    const { value } = await chunks.next();
    expect(String(value)).toBe('data: first\n\n');
    response.body.destroy();
    await expect.poll(() => closed).toBe(1);
  });

  it('proxies websockets of those who may, without waiting for acknowledgements', async () => {
    const [, , hub] = servers;
    const upstream = new WebSocketServer({ ...(hub && { server: hub }) });
    let user: unknown;
    upstream.on('connection', (socket, req) => {
      user = req.headers['x-auth-request-user'];
      socket.on('message', (data) => {
        // Two small writes: with Nagle on, the second would wait for the first one's acknowledgement.
        socket.send(data);
        socket.send(data);
      });
    });
    const url = `${origin.url.replace('http', 'ws')}/nb/user/alice/api`;
    const socket = new WebSocket(url, { headers: bearer });
    await once(socket, 'open');
    expect(user).toBe('alice');
    const started = performance.now();
    for (let round = 0; round < 50; round++) {
      const both = on(socket, 'message');
      socket.send('ping');
      await both.next();
      await both.next();
      await both.return?.();
    }
    expect((performance.now() - started) / 50).toBeLessThan(20);
    socket.close();

    const refused = new WebSocket(url);
    const [error] = (await once(refused, 'error')) as [Error];
    expect(error.message).toContain('401');
    upstream.close();
  });

  it('closes although a websocket is open at both ends', async () => {
    const [, , hub] = servers;
    const upstream = new WebSocketServer({ ...(hub && { server: hub }) });
    const url = `${origin.url.replace('http', 'ws')}/nb/user/alice/api`;
    const socket = new WebSocket(url, { headers: bearer });
    socket.on('error', () => {});
    await once(socket, 'open');
    // Neither of them answers what the other does.
    for (const end of [socket, ...upstream.clients]) end.pause();
    await expect(origin.close()).resolves.toBeUndefined();
    socket.terminate();
    for (const client of upstream.clients) client.terminate();
    upstream.close();
  }, 2_000);

  it('gives the discovery document to anybody', async () => {
    const response = await get('/repertoire/discovery', {});
    expect(await response.body.json()).toMatchObject({
      services: {
        internal: { gafaelfawr: { versions: { v1: { url: `${origin.url}/auth/api/v1` } } } },
        ui: { nublado: { url: `${origin.url}/nb` } },
      },
    });
  });
});
