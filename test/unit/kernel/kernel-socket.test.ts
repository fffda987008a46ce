import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openKernelSocket } from '../../../workers/executor/kernel/kernel-socket.ts';
import type { KernelTransport } from '../../../workers/executor/kernel/kernel-transport.ts';
import { startFakeKernelServer, type FakeKernelServer } from '../../support/fake-kernel-server.ts';

const PING_MS = 20;
const onClose = vi.fn<(error: Error) => void>();
let server: FakeKernelServer;
let transport: KernelTransport;

beforeEach(async () => {
  onClose.mockReset();
  server = await startFakeKernelServer();
  const options = { ...(await server.host.channels('k', '')), pingIntervalMs: PING_MS, closeTimeoutMs: 100 };
  const handlers = { onFrame: () => undefined, onClose };
  transport = await openKernelSocket(options, handlers, new AbortController().signal);
});
afterEach(async () => {
  await transport.close();
  await server[Symbol.asyncDispose]();
});

test('a server from which nothing comes any more counts as gone', async () => {
  for (const socket of server.sockets) socket.pause();
  await vi.waitFor(() => expect(onClose).toHaveBeenCalledOnce());
  expect(onClose.mock.lastCall?.[0].message).toContain('no sign of the lab');
});

test('an executor that stood still itself hears its server first', async () => {
  const stoodAt = performance.now();
  while (performance.now() - stoodAt < 10 * PING_MS);
  await sleep(5 * PING_MS);
  expect(onClose).not.toHaveBeenCalled();
});
