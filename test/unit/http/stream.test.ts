import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TIMEOUTS } from '../../../lib/http/server.ts';
import { serve, type TestServer } from '../../support/function-server.ts';

const CHUNK = 'x'.repeat(2 ** 20);
const CHUNKS = 64;
/** What the sockets of both ends and Node may hold between them. */
const MAX_HELD = 16;
let made: number;
let over: boolean;
let signal: AbortSignal;
let server: TestServer;
let socket: Socket;

beforeEach(async () => {
  made = 0;
  over = false;
  server = await serve(async (request) => {
    ({ signal } = request);
    return { status: 200, stream: chunks(request.path === '/fault') };
  });
});
afterEach(async () => {
  vi.useRealTimers();
  socket.destroy();
  await server[Symbol.asyncDispose]();
});

async function* chunks(fails: boolean): AsyncGenerator<string> {
  try {
    for (; made < CHUNKS; made++) {
      if (fails && made === 1) throw new Error('canary-internal');
      yield CHUNK;
    }
  } finally {
    over = true;
  }
}

/** Asks for the stream and reads nothing of it. */
async function open(path = '/'): Promise<void> {
  socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.pause().write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
}

/** Waits until the stream waits for its reader. */
async function stuck(): Promise<number> {
  let before = -1;
  await vi.waitFor(
    () => {
      const now = made;
      const moved = now === 0 || now !== before;
      before = now;
      expect(moved).toBe(false);
    },
    { timeout: 5_000, interval: 100 },
  );
  return before;
}

describe('a stream', () => {
  test('is made as fast as its caller reads it, and whole', async () => {
    await open();
    expect(await stuck()).toBeLessThan(MAX_HELD);
    socket.resume();
    expect((await text(socket)).replaceAll(/[^x]/g, '').length).toBeGreaterThanOrEqual(CHUNKS * CHUNK.length);
    expect(made).toBe(CHUNKS);
  });

  test('ends when its caller goes', async () => {
    await open();
    await stuck();
    expect(over).toBe(false);
    socket.destroy();
    await vi.waitFor(() => expect(over).toBe(true));
    expect(signal.aborted).toBe(true);
    expect(made).toBeLessThan(MAX_HELD);
  });

  test('is cut off when its caller keeps the connection and reads nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await open();
    await vi.waitUntil(() => made > 0 && vi.getTimerCount() > 0);
    await vi.advanceTimersByTimeAsync(TIMEOUTS.stalledMs);
    await vi.waitFor(() => expect(over).toBe(true));
    expect(signal.aborted).toBe(true);
  });

  test('that fails midway is cut, as its status has been sent, and the log knows why', async () => {
    await open('/fault');
    socket.resume();
    expect(await text(socket)).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(server.lines.join('')).toContain('canary-internal');
  });
});
