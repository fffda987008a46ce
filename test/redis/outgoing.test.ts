/** "Outgoing" of the security design, on connections that are really made. In this tier for its certificates. */
import { once } from 'node:events';
import type { LookupAddress } from 'node:dns';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ServerResponse } from 'node:http';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AllowedHosts } from '../../lib/outgoing/allowed-hosts.ts';
import {
  guardedAgent,
  OutgoingRefusedError,
  type Resolve,
} from '../../workers/courier/outgoing/guarded-agent.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const before = getCACertificates('default');
let ca: PrivateCa;
let server: Server;
let port: number;
let connections: number;
let answer: (response: ServerResponse) => void;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  ca = await PrivateCa.make();
  // What NODE_EXTRA_CA_CERTS does for a process that is started.
  setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]);
}, 30_000);
afterAll(() => {
  setDefaultCACertificates(before);
  ca[Symbol.dispose]();
});
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  connections = 0;
  answer = (response) => void response.writeHead(204).end();
  server = createServer(ca.server, (request, response) => {
    request.resume().once('end', () => answer(response));
  });
  server.on('connection', () => (connections += 1)).on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  await stack.disposeAsync();
  server.close();
  server.closeAllConnections();
});

/** Answers with each of these in turn, and with the last one from then on. */
function resolver(...answers: string[][]) {
  let asked = 0;
  const resolve = (
    _: string,
    { all }: { all?: boolean },
    callback: (error: null, ...found: unknown[]) => void,
  ) => {
    const addresses = answers[Math.min(asked++, answers.length - 1)] ?? [];
    const found = addresses.map((address): LookupAddress => ({ address, family: 4 }));
    if (all) callback(null, found);
    else callback(null, found[0]?.address, 4);
  };
  return { resolve: resolve as unknown as Resolve, asked: () => asked };
}

const here = (isInternal: boolean): AllowedHosts => [{ name: 'localhost', port, isInternal }];

interface PostOptions {
  host?: string;
  resolve?: Resolve;
  timeoutMs?: number;
}

function post(hosts: AllowedHosts, { host = 'localhost', resolve, timeoutMs = 5_000 }: PostOptions = {}) {
  const outgoing = new Outgoing(hosts, resolve);
  stack.defer(() => outgoing.close());
  const message = { headers: { a: 'b' }, body: '{}', signal: AbortSignal.timeout(timeoutMs) };
  return outgoing.post(`https://${host}:${port}/`, message).catch((error: unknown) => error);
}

test('a host that is called internal is reached, and no other here', async () => {
  expect(await post(here(true))).toEqual({ status: 204, retryAfter: undefined });
  expect(connections).toBe(1);
  expect(await post(here(false))).toBeInstanceOf(OutgoingRefusedError);
  expect(connections).toBe(1);
});

test('rebinding: what was looked up is what is connected to, and each connection looks anew', async () => {
  const changing = resolver(['127.0.0.1'], ['127.0.0.2']);
  expect(await post(here(true), changing)).toMatchObject({ status: 204 });
  expect(changing.asked()).toBe(1);
  const inward = resolver(['192.0.2.1'], ['127.0.0.1']);
  for (const _ of [1, 2]) expect(await post(here(false), inward)).toBeInstanceOf(OutgoingRefusedError);
  expect(inward.asked()).toBe(2);
  expect(connections).toBe(1);
});

test("the peer's address is checked after connect, where nothing was looked up", async () => {
  const agent = guardedAgent([{ name: '*', port, isInternal: false }]);
  stack.defer(() => agent.destroy());
  // With the name that its certificate is for: nothing else stands in the way.
  const call = request(`https://127.0.0.1:${port}/`, { dispatcher: agent, headers: { host: 'localhost' } });
  await expect(call).rejects.toThrow('The host has no public address');
  expect(connections).toBe(1);
});

test('a certificate for another host is refused, and one of nobody’s', async () => {
  const host = 'other.example.org';
  const other = await post([{ name: host, port, isInternal: true }], { host, ...resolver(['127.0.0.1']) });
  expect(other).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  setDefaultCACertificates(before);
  stack.defer(() => setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]));
  expect(await post(here(true))).toMatchObject({ code: expect.stringMatching(/CERT|VERIFY/) });
});

test.each([301, 302, 303, 307, 308])('no redirects: %d is the answer, and nobody goes on', async (status) => {
  answer = (response) => void response.writeHead(status, { location: 'https://169.254.169.254/' }).end();
  expect(await post(here(true))).toMatchObject({ status });
  expect(connections).toBe(1);
});

test('huge answers are not read', async () => {
  let sent = 0;
  const closed = new Promise((resolve) => {
    answer = (response) => {
      response.once('close', () => resolve(true)).writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
        response.once('drain', more);
      };
      more();
    };
  });
  expect(await post(here(true))).toMatchObject({ status: 200 });
  expect(await closed).toBe(true);
  expect(sent).toBeLessThan(16 * 2 ** 20);
});

test('huge heads are an error', async () => {
  answer = (response) => void response.writeHead(200, { 'x-large': 'x'.repeat(20_000) }).end();
  expect(await post(here(true))).toMatchObject({ code: 'UND_ERR_HEADERS_OVERFLOW' });
});

test('slow answers are given up, a slow body is not waited for longer', async () => {
  answer = () => undefined;
  expect(await post(here(true), { timeoutMs: 100 })).toMatchObject({ name: 'TimeoutError' });
  answer = (response) => void response.writeHead(200).write('a');
  expect(await post(here(true), { timeoutMs: 300 })).toMatchObject({ status: 200 });
});

test('Retry-After is told', async () => {
  answer = (response) => void response.writeHead(503, { 'retry-after': '7' }).end();
  expect(await post(here(true))).toEqual({ status: 503, retryAfter: '7' });
});
