import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { KernelUnreachableError, SocketClosedError } from '../../../workers/executor/kernel/kernel-error.ts';
import { KernelLink } from '../../../workers/executor/kernel/kernel-link.ts';
import type { TransportHandlers } from '../../../workers/executor/kernel/kernel-transport.ts';

const signal = new AbortController().signal;
const cut = new SocketClosedError(1006, '');
let link: KernelLink;
afterEach(() => link.close());

/** A link whose sockets take a moment to open, and which counts those that are open at once. */
function makeLink(open: () => Promise<void> = () => sleep(10)) {
  const sockets = new Set<TransportHandlers>();
  const seen = { opened: 0, atOnce: 0, ended: undefined as Error | undefined };
  const handlers = {
    onFrame: () => undefined,
    onCut: () => true,
    verify: () => sleep(10),
    onRestored: () => undefined,
    onEnd: (error: Error) => void (seen.ended = error),
  };
  link = new KernelLink(
    async (handlers) => {
      await open();
      sockets.add(handlers);
      seen.opened += 1;
      seen.atOnce = Math.max(seen.atOnce, sockets.size);
      return { send: () => undefined, close: async () => void sockets.delete(handlers) };
    },
    handlers,
    { reconnectTimeoutMs: 200, reconnectPauseMs: 10 },
  );
  const cutAll = () => {
    for (const socket of sockets) {
      sockets.delete(socket);
      socket.onClose(cut);
    }
  };
  return { sockets, seen, cutAll };
}

test.each([
  ['connect', 2],
  ['renew', 3],
] as const)('%s waits for a socket that is being got back: never two at once', async (method, opened) => {
  const { sockets, seen, cutAll } = makeLink();
  await link.connect(signal);
  cutAll();
  await link[method](signal);
  await sleep(50);
  expect(sockets.size).toBe(1);
  expect(seen).toEqual({ opened, atOnce: 1, ended: undefined });
});

test('who waits for a socket that cannot be got back learns why, and opens no other', async () => {
  const open = vi.fn(async () => undefined);
  const { seen, cutAll } = makeLink(open);
  await link.connect(signal);
  open.mockRejectedValueOnce(new KernelUnreachableError('no such kernel', { statusCode: 404 }));
  cutAll();
  await expect(link.connect(signal)).rejects.toBe(cut);
  expect(seen).toEqual({ opened: 1, atOnce: 1, ended: cut });
});

test('who waits for a socket may give up before it is there', async () => {
  const open = vi.fn(async () => undefined);
  const { cutAll } = makeLink(open);
  await link.connect(signal);
  open.mockImplementation(() => sleep(100));
  cutAll();
  await expect(link.connect(AbortSignal.timeout(20))).rejects.toThrow('timeout');
});
