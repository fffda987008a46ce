import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  PoolClosedError,
  SocketClosedError,
  UnknownKernelError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import { KernelPool, type KernelPoolOptions } from '../../../workers/executor/kernel/kernel-pool.ts';
import { startFakeKernelServer, type FakeKernelServer } from '../../support/fake-kernel-server.ts';

const signal = new AbortController().signal;
let server: FakeKernelServer;
let pool: KernelPool;

function makePool(options: Partial<KernelPoolOptions> = {}): KernelPool {
  pool = new KernelPool({
    host: server.host,
    sessionPathPrefix: 'noteburst-7-',
    size: 1,
    maxKernels: 3,
    refillDelayMs: 5,
    aliveTimeoutMs: 100,
    timings: { readyIntervalMs: 20 },
    limits: { closeTimeoutMs: 100 },
    ...options,
  });
  return pool;
}

beforeEach(async () => {
  server = await startFakeKernelServer();
});
afterEach(async () => {
  await pool.close();
  if (server.sessions.size > 0) throw new Error('the pool left sessions behind');
  await server[Symbol.asyncDispose]();
});

/** Culled as jupyter-server-documents does it: the sockets stay open, and nobody answers. */
function silence(sockets: unknown[]): void {
  const answer = server.onKernelInfo;
  server.onKernelInfo = (kernel, request) => sockets.includes(kernel.socket) || answer(kernel, request);
}

describe('KernelPool', () => {
  test('hands a warm kernel out, refills behind it, and deletes it after its use', async () => {
    await makePool().warm('fake', signal);
    expect(pool.counts).toEqual({ idle: 1, leased: 0, starting: 0 });
    const kernel = await pool.acquire('fake', signal);
    expect(kernel.languageInfo).toMatchObject({ name: 'fake' });
    expect(server.sessions.get(kernel.sessionId)).toMatch(/^noteburst-7-/);
    await vi.waitFor(() => expect(pool.counts).toEqual({ idle: 1, leased: 1, starting: 0 }));
    await pool.release(kernel);
    expect(server.sessions.has(kernel.sessionId)).toBe(false);
    expect(pool.counts).toEqual({ idle: 1, leased: 0, starting: 0 });
  });

  test('an unknown kernel is refused at once with the list of those there are; known ones are not asked for again', async () => {
    const unknown = makePool().acquire('lsst', signal);
    await expect(unknown).rejects.toThrow(UnknownKernelError);
    await expect(unknown).rejects.toThrow('no kernel named "lsst". Available kernels: fake, other');
    await pool.acquire('fake', signal);
    await pool.acquire('other', signal);
    expect(server.counts.specs).toBe(1);
  });

  test('a warm kernel that died meanwhile is replaced', async () => {
    await makePool().warm('fake', signal);
    const [culled] = server.sessions.keys();
    for (const socket of server.sockets) socket.terminate();
    const kernel = await pool.acquire('fake', signal);
    expect(kernel.sessionId).not.toBe(culled);
  });

  test('a start that was begun before anybody asked, and fails, is not the failure of who asks', async () => {
    const begun = Promise.withResolvers<never>();
    const { host } = server;
    let starts = 0;
    const startSession: typeof host.startSession = (...args) =>
      ++starts === 1 ? begun.promise : host.startSession(...args);
    makePool({ host: { ...host, startSession } });
    const warmed = pool.warm('fake', signal).catch(() => undefined);
    await vi.waitFor(() => expect(starts).toBe(1));
    const acquired = pool.acquire('fake', signal);
    await Promise.resolve();
    begun.reject(new Error('cut'));
    expect(await (await acquired).isAlive(100, signal)).toBe(true);
    await warmed;
    expect(starts).toBe(2);
  });

  test('a culled kernel whose socket stayed open is replaced', async () => {
    await makePool().warm('fake', signal);
    const answer = server.onKernelInfo;
    const [dead] = server.sockets;
    server.onKernelInfo = (kernel, request) => kernel.socket !== dead && answer(kernel, request);
    const kernel = await pool.acquire('fake', signal);
    expect(await kernel.isAlive(100, signal)).toBe(true);
  });

  test('kernels that were culled together cost one timeout together', async () => {
    await makePool({ size: 3, aliveTimeoutMs: 400 }).warm('fake', signal);
    const culled = [...server.sessions.keys()];
    silence([...server.sockets]);
    const begunAt = performance.now();
    const kernel = await pool.acquire('fake', signal);
    expect(performance.now() - begunAt).toBeLessThan(900);
    expect(culled).not.toContain(kernel.sessionId);
    await vi.waitFor(() => expect(culled.filter((id) => server.sessions.has(id))).toEqual([]));
  });

  test('one that lives is found without waiting for those that were culled, and others that live stay', async () => {
    makePool({ size: 3, refillDelayMs: 60_000, aliveTimeoutMs: 2_000, timings: { readyIntervalMs: 500 } });
    await pool.warm('fake', signal);
    const warm = [...server.sessions.keys()];
    const answer = server.onKernelInfo;
    let culled: unknown;
    server.onKernelInfo = (kernel, request) => {
      culled ??= kernel.socket;
      if (kernel.socket !== culled) answer(kernel, request);
    };
    const begunAt = performance.now();
    const kernel = await pool.acquire('fake', signal);
    expect(performance.now() - begunAt).toBeLessThan(1_500);
    expect(warm).toContain(kernel.sessionId);
    await vi.waitFor(() => expect(pool.counts).toEqual({ idle: 1, leased: 1, starting: 0 }), 4_000);
    expect(server.sessions.size).toBe(2);
  });

  test('a caller who goes away while kernels are asked takes none of them along', async () => {
    const answer = server.onKernelInfo;
    makePool({ size: 2, refillDelayMs: 60_000, aliveTimeoutMs: 2_000, timings: { readyIntervalMs: 2_000 } });
    await pool.warm('fake', signal);
    server.onKernelInfo = (kernel, request) => void setTimeout(() => answer(kernel, request), 200);
    await expect(pool.acquire('fake', AbortSignal.timeout(150))).rejects.toThrow('timeout');
    await vi.waitFor(() => expect(pool.counts).toEqual({ idle: 2, leased: 0, starting: 0 }));
    expect(server.counts.opened).toBe(2);
  });

  test('hand-outs that follow one another closely do not put the refill off', async () => {
    makePool({ refillDelayMs: 150 });
    await vi.waitFor(
      async () => {
        const kernel = await pool.acquire('fake', signal);
        await sleep(30);
        const { idle, starting } = pool.counts;
        await pool.release(kernel);
        expect(idle + starting).toBeGreaterThan(0);
      },
      { interval: 1, timeout: 3_000 },
    );
  });

  test('while a notebook runs, and the next finds a warm kernel, the refill waits; but not for ever', async () => {
    makePool({ size: 2, maxKernels: 4, refillDelayMs: 100 });
    await pool.warm('fake', signal);
    const begunAt = performance.now();
    await pool.acquire('fake', signal);
    await sleep(300);
    expect(pool.counts).toEqual({ idle: 1, leased: 1, starting: 0 });
    await vi.waitFor(() => expect(pool.counts.idle).toBe(2), { interval: 1 });
    expect(performance.now() - begunAt).toBeGreaterThan(395);
  });

  test('without a warm kernel for the next notebook the refill does not wait', async () => {
    makePool({ size: 1, maxKernels: 2, refillDelayMs: 300 });
    await pool.warm('fake', signal);
    const begunAt = performance.now();
    await pool.acquire('fake', signal);
    await vi.waitFor(() => expect(pool.counts.idle).toBe(1), { interval: 1 });
    expect(performance.now() - begunAt).toBeLessThan(600);
  });

  test('kernels of another name that were on their way do not keep a caller waiting', async () => {
    const answer = server.onKernelInfo;
    server.onKernelInfo = (kernel, request) => void setTimeout(() => answer(kernel, request), 50);
    makePool({ size: 2, maxKernels: 2, timings: { readyIntervalMs: 500 } });
    const warmed = pool.warm('fake', signal);
    await vi.waitFor(() => expect(pool.counts.starting).toBe(2), { interval: 1 });
    const kernel = await pool.acquire('other', signal);
    expect(kernel.kernelName).toBe('other');
    await warmed;
  });

  test('a kernel that was just started is not asked again whether it lives', async () => {
    const answer = server.onKernelInfo;
    // Slower than a warm kernel may be, quicker than a start may be.
    server.onKernelInfo = (kernel, request) => void setTimeout(() => answer(kernel, request), 150);
    makePool({ size: 0, timings: { readyIntervalMs: 500 } });
    await pool.acquire('fake', signal);
    expect(server.counts.opened).toBe(1);
  });

  test('warming says why no kernel came', async () => {
    const startSession = () => Promise.reject(new Error('no space left on device'));
    makePool({ host: { ...server.host, startSession } });
    await expect(pool.warm('fake', signal)).rejects.toThrow('no space left on device');
  });

  test('never more than maxKernels: the next waits for a release', async () => {
    makePool({ maxKernels: 1 });
    const first = await pool.acquire('fake', signal);
    const second = pool.acquire('fake', signal);
    await new Promise((done) => setTimeout(done, 50));
    expect(server.sessions.size).toBe(1);
    await pool.release(first);
    expect((await second).sessionId).not.toBe(first.sessionId);
  });

  test('a warm kernel of another name gives way', async () => {
    await makePool({ maxKernels: 1 }).warm('other', signal);
    expect((await pool.acquire('fake', signal)).kernelName).toBe('fake');
    expect(server.sessions.size).toBe(1);
  });

  test('a waiter that gives up leaves nothing behind', async () => {
    makePool({ maxKernels: 1 });
    const kernel = await pool.acquire('fake', signal);
    await expect(pool.acquire('fake', AbortSignal.timeout(20))).rejects.toThrow('timeout');
    await pool.release(kernel);
    expect(pool.counts).toEqual({ idle: 0, leased: 0, starting: 0 });
  });

  test('a kernel that cannot be started fails its acquire and leaves no session', async () => {
    server.refuseWith = 403;
    await expect(makePool().acquire('fake', signal)).rejects.toMatchObject({ statusCode: 403 });
    expect(server.sessions.size).toBe(0);
  });

  test('a deletion the lab refuses, as it does while it restarts a dead kernel, is tried again', async () => {
    const kernel = await makePool().acquire('fake', signal);
    const refusing = vi.spyOn(server.host, 'deleteSession').mockRejectedValueOnce(new Error('HTTP 500'));
    await pool.release(kernel);
    expect(refusing).toHaveBeenCalledTimes(2);
    expect(server.sessions.has(kernel.sessionId)).toBe(false);
  });

  test('close ends kernels in use, being started and waited for', async () => {
    makePool({ maxKernels: 2 });
    await pool.acquire('fake', signal);
    server.onKernelInfo = () => undefined;
    const starting = pool.acquire('fake', signal).catch((error: unknown) => error);
    await vi.waitFor(() => expect(server.sessions.size).toBe(2));
    await pool.close();
    expect(await starting).toBeInstanceOf(PoolClosedError);
    expect(server.sessions.size).toBe(0);
    await expect(pool.acquire('fake', signal)).rejects.toThrow(PoolClosedError);
  });

  test('whatever runs or starts in a lost lab fails at once, and nothing is deleted there any more', async () => {
    const labLost = new AbortController();
    const onCut = vi.fn();
    makePool({ maxKernels: 2, size: 2, labLost: labLost.signal, onCut, deleteTimeoutMs: 60_000 });
    const kernel = await pool.acquire('fake', signal);
    server.onExecute = () => undefined;
    const running = kernel.execute('1', { onIopub: () => undefined }).catch((error: unknown) => error);
    // As of the hub in place of a lab that is not running.
    const deleting = vi.spyOn(server.host, 'deleteSession').mockRejectedValue(new Error('HTTP 424'));
    server.onKernelInfo = () => undefined;
    const starting = pool.acquire('fake', signal).catch((error: unknown) => error);
    await vi.waitFor(() => expect(server.sockets.size).toBe(2));
    server.refuseWith = 424;
    for (const socket of server.sockets) socket.terminate();
    await vi.waitFor(() => expect(onCut).toHaveBeenCalled());
    const lostAt = performance.now();
    labLost.abort();
    expect(await running).toBeInstanceOf(SocketClosedError);
    expect(await starting).toBeInstanceOf(Error);
    await pool.close();
    expect(performance.now() - lostAt).toBeLessThan(1_000);
    const tried = deleting.mock.calls.length;
    await pool.release(kernel);
    expect(deleting).toHaveBeenCalledTimes(tried);
    server.sessions.clear();
  });

  test.each(['cut', 'refused'])('tells of a socket that is %s, as the lab may be gone', async (how) => {
    const onCut = vi.fn();
    makePool({ onCut, refillDelayMs: 60_000 });
    if (how === 'refused') server.refuseWith = 424;
    const kernel = await pool.acquire('fake', signal).catch(() => undefined);
    expect(onCut).toHaveBeenCalledTimes(how === 'refused' ? 1 : 0);
    for (const socket of server.sockets) socket.terminate();
    await vi.waitFor(() => expect(onCut).toHaveBeenCalledOnce());
    if (kernel) await pool.release(kernel);
    expect(onCut).toHaveBeenCalledOnce();
  });
});
