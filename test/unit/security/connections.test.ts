/** "Bodies" of the security design, "header and request timeouts": who is slow, or sends what may be read in two ways. */
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TIMEOUTS } from '../../../lib/http/server.ts';
import { serve, type TestServer } from '../../support/function-server.ts';
import { connectTo, sendRaw } from '../../support/raw-http.ts';

const SHORT = { headersMs: 200, requestMs: 400, checkMs: 50, stalledMs: 300 };
const BOUND_MS = 5_000;
/** More than the sockets of both ends hold between them. */
const LARGE = 64 * 2 ** 20;
let server: TestServer;
let requests: string[];

beforeEach(async () => {
  requests = [];
  server = await serve(
    async ({ method, path, body }) => {
      requests.push(`${method} ${path} ${body.toString()}`);
      if (path === '/large')
        return { status: 200, body: { type: 'text/plain', content: Buffer.alloc(LARGE) } };
      if (path === '/stream') return { status: 200, stream: chunks() };
      return { status: 200, json: {} };
    },
    undefined,
    SHORT,
  );
});
afterEach(() => server[Symbol.asyncDispose]());

async function* chunks(): AsyncGenerator<string> {
  for (let n = 0; n < 64; n++) yield 'x'.repeat(LARGE / 64);
}

/** Sends a part, and another every 20 ms for as long as the connection stands. @returns what was answered */
async function trickle(begin: string, more: string): Promise<string> {
  const socket = await connectTo(server);
  socket.on('error', () => undefined).write(begin);
  const sending = setInterval(() => socket.writable && socket.write(more), 20);
  try {
    return await text(socket);
  } catch {
    return 'cut';
  } finally {
    clearInterval(sending);
  }
}

describe('a slow client is cut in bounded time', () => {
  test('by default all bounds are at most a minute', () => {
    expect(Math.max(...Object.values(TIMEOUTS))).toBeLessThanOrEqual(60_000);
    expect(TIMEOUTS.headersMs + TIMEOUTS.checkMs).toBeLessThan(30_000);
  });

  test.each([
    ['headers', 'GET / HTTP/1.1\r\n', 'X-Slow: 1\r\n'],
    ['a request line', 'G', 'E'],
    ['a body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n', 'x'],
    ['chunks', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ])('that sends %s byte by byte', { timeout: BOUND_MS }, async (_, begin, more) => {
    expect(await trickle(begin, more)).toMatch(/^(HTTP\/1\.1 4|cut$)/);
    expect(requests).toEqual([]);
  });

  test.each(['/large', '/stream'])('that reads nothing of %s', { timeout: BOUND_MS }, async (path) => {
    const socket: Socket = await connectTo(server);
    const closed = vi.fn<() => void>();
    socket.on('error', () => undefined).on('close', closed);
    socket.pause().write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await vi.waitUntil(() => requests.length === 1);
    // Whether it is cut shows only to who reads again: until then, the bound on a stalled reader has to pass.
    await new Promise((resolve) => setTimeout(resolve, SHORT.stalledMs * 3));
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
    await vi.waitFor(() => expect(closed).toHaveBeenCalled(), { timeout: BOUND_MS });
    expect(bytes).toBeLessThan(LARGE);
  });
});

describe('a request that may be read in two ways is refused', () => {
  const BODY = '5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  test.each([
    ['Content-Length and Transfer-Encoding', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['Transfer-Encoding and Content-Length', ['Transfer-Encoding: chunked', 'Content-Length: 5']],
    ['two Content-Lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['a list of Content-Lengths', ['Content-Length: 5, 6']],
    ['a signed Content-Length', ['Content-Length: +5']],
    ['a Content-Length in hex', ['Content-Length: 0x5']],
    ['Transfer-Encoding twice', ['Transfer-Encoding: chunked, identity']],
    ['a space before the colon', ['Transfer-Encoding : chunked']],
    ['a folded header', ['X-Folded: a', ' Transfer-Encoding: chunked']],
    ['a bare line feed', ['X-A: b\nTransfer-Encoding: chunked']],
    ['a null byte', ['X-A: b\0']],
  ])('%s', async (_, headers) => {
    const answer = await sendRaw(
      server,
      'POST / HTTP/1.1',
      'Host: x',
      'Connection: close',
      ...headers,
      '',
      BODY,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4(00|11) /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(requests).toEqual([]);
  });

  test.each([
    ['one header', [`X-Large: ${'x'.repeat(20_000)}`]],
    ['many headers', Array.from({ length: 1_000 }, (_, n) => `X-${n}: ${'x'.repeat(20)}`)],
  ])('oversized headers are a 431: %s', async (_, headers) => {
    expect(await sendRaw(server, 'GET / HTTP/1.1', 'Host: x', ...headers, '', '')).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    expect(requests).toEqual([]);
  });
});
