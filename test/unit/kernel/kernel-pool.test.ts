import { describe, expect, test, vi } from 'vitest';
import {
  KernelTimeoutError,
  PoolClosedError,
  SocketClosedError,
  UnknownKernelError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import { PoolBench } from '../../support/pool-bench.ts';

const signal = new AbortController().signal;
const bench = new PoolBench();

describe('KernelPool', () => {
  test('hands a warm kernel out, refills behind it, and deletes it after its use', async () => {
    await bench.makePool().warm('fake', signal);
    expect(bench.pool.counts).toEqual({ idle: 1, leased: 0, starting: 0 });
    const kernel = await bench.pool.acquire('fake', signal);
    expect(kernel.languageInfo).toMatchObject({ name: 'fake' });
    expect(bench.server.sessions.get(kernel.sessionId)).toMatch(/^noteburst-7-/);
    await vi.waitFor(() => expect(bench.pool.counts).toEqual({ idle: 1, leased: 1, starting: 0 }));
    await bench.pool.release(kernel);
    expect(bench.server.sessions.has(kernel.sessionId)).toBe(false);
    expect(bench.pool.counts).toEqual({ idle: 1, leased: 0, starting: 0 });
  });

  test('an unknown kernel is refused at once with the list of those there are; known ones are not asked for again', async () => {
    const unknown = bench.makePool().acquire('lsst', signal);
    await expect(unknown).rejects.toThrow(UnknownKernelError);
    await expect(unknown).rejects.toThrow('no kernel named "lsst". Available kernels: fake, other');
    await bench.pool.acquire('fake', signal);
    await bench.pool.acquire('other', signal);
    expect(bench.server.counts.specs).toBe(1);
  });

  test('a warm kernel that died meanwhile is replaced', async () => {
    await bench.makePool().warm('fake', signal);
    const [culled] = bench.server.sessions.keys();
    for (const socket of bench.server.sockets) socket.terminate();
    const kernel = await bench.pool.acquire('fake', signal);
    expect(kernel.sessionId).not.toBe(culled);
  });

  test('a start that was begun before anybody asked, and fails, is not the failure of who asks', async () => {
    const begun = Promise.withResolvers<never>();
    const { host } = bench.server;
    let starts = 0;
    const startSession: typeof host.startSession = (...args) =>
      ++starts === 1 ? begun.promise : host.startSession(...args);
    bench.makePool({ refillDelayMs: 60_000, host: { ...host, startSession } });
    const warmed = bench.pool.warm('fake', signal).catch(() => undefined);
    await vi.waitFor(() => expect(starts).toBe(1));
    const acquired = bench.pool.acquire('fake', signal);
    await Promise.resolve();
    begun.reject(new Error('cut'));
    expect(await (await acquired).isAlive(100, signal)).toBe(true);
    await warmed;
    expect(starts).toBe(2);
  });

  test('a culled kernel whose socket stayed open is replaced', async () => {
    await bench.makePool().warm('fake', signal);
    const answer = bench.server.onKernelInfo;
    const [dead] = bench.server.sockets;
    bench.server.onKernelInfo = (kernel, request) => kernel.socket !== dead && answer(kernel, request);
    const kernel = await bench.pool.acquire('fake', signal);
    expect(await kernel.isAlive(100, signal)).toBe(true);
  });

  test('kernels that were culled together cost one timeout together', async () => {
    await bench.makePool({ size: 3, aliveTimeoutMs: 400 }).warm('fake', signal);
    const culled = [...bench.server.sessions.keys()];
    bench.silence();
    const begunAt = performance.now();
    const kernel = await bench.pool.acquire('fake', signal);
    expect(performance.now() - begunAt).toBeLessThan(900);
    expect(culled).not.toContain(kernel.sessionId);
    await vi.waitFor(() => expect(culled.filter((id) => bench.server.sessions.has(id))).toEqual([]));
  });

  test('one that lives is found without waiting for those that were culled, and others that live stay', async () => {
    bench.makePool({
      size: 3,
      refillDelayMs: 60_000,
      aliveTimeoutMs: 2_000,
      timings: { readyIntervalMs: 500 },
    });
    await bench.pool.warm('fake', signal);
    const warm = [...bench.server.sessions.keys()];
    const answer = bench.server.onKernelInfo;
    let culled: unknown;
    bench.server.onKernelInfo = (kernel, request) => {
      culled ??= kernel.socket;
      if (kernel.socket !== culled) answer(kernel, request);
    };
    const begunAt = performance.now();
    const kernel = await bench.pool.acquire('fake', signal);
    expect(performance.now() - begunAt).toBeLessThan(1_500);
    expect(warm).toContain(kernel.sessionId);
    await vi.waitFor(() => expect(bench.pool.counts).toEqual({ idle: 1, leased: 1, starting: 0 }), 4_000);
    expect(bench.server.sessions.size).toBe(2);
  });

  test('a caller who goes away while kernels are asked takes none of them along', async () => {
    const answer = bench.server.onKernelInfo;
    bench.makePool({
      size: 2,
      refillDelayMs: 60_000,
      aliveTimeoutMs: 2_000,
      timings: { readyIntervalMs: 2_000 },
    });
    await bench.pool.warm('fake', signal);
    bench.server.onKernelInfo = (kernel, request) => void setTimeout(() => answer(kernel, request), 200);
    await expect(bench.pool.acquire('fake', AbortSignal.timeout(150))).rejects.toThrow('timeout');
    await vi.waitFor(() => expect(bench.pool.counts).toEqual({ idle: 2, leased: 0, starting: 0 }));
    expect(bench.server.counts.opened).toBe(2);
  });

  test('kernels of another name that were on their way do not keep a caller waiting', async () => {
    const answer = bench.server.onKernelInfo;
    bench.server.onKernelInfo = (kernel, request) => void setTimeout(() => answer(kernel, request), 50);
    bench.makePool({ size: 2, maxKernels: 2, timings: { readyIntervalMs: 500 } });
    const warmed = bench.pool.warm('fake', signal);
    await vi.waitFor(() => expect(bench.pool.counts.starting).toBe(2), { interval: 1 });
    const kernel = await bench.pool.acquire('other', signal);
    expect(kernel.kernelName).toBe('other');
    await warmed;
  });

  test('a kernel that was just started is not asked again whether it lives', async () => {
    const answer = bench.server.onKernelInfo;
    // Slower than a warm kernel may be, quicker than a start may be.
    bench.server.onKernelInfo = (kernel, request) => void setTimeout(() => answer(kernel, request), 150);
    bench.makePool({ size: 0, timings: { readyIntervalMs: 500 } });
    await bench.pool.acquire('fake', signal);
    expect(bench.server.counts.opened).toBe(1);
  });

  test('warming says why no kernel came', async () => {
    const startSession = () => Promise.reject(new Error('no space left on device'));
    bench.makePool({ host: { ...bench.server.host, startSession } });
    await expect(bench.pool.warm('fake', signal)).rejects.toThrow('no space left on device');
  });

  test('a caller who goes away while a culled kernel is asked does not wait for its answer', async () => {
    await bench.makePool({ aliveTimeoutMs: 5_000 }).warm('fake', signal);
    bench.silence();
    const begunAt = performance.now();
    await expect(bench.pool.acquire('fake', AbortSignal.timeout(50))).rejects.toThrow('timeout');
    expect(performance.now() - begunAt).toBeLessThan(1_000);
  });

  test('a kernel that answers, but never to its first request, fails its acquire in time, and leaves no trace', async () => {
    bench.server.onKernelInfo = (kernel, request) => {
      const content = { status: 'ok', language_info: { name: 'python' } };
      kernel.send(request.channel, 'kernel_info_reply', content, request);
      kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
    };
    bench.server.onExecute = () => undefined;
    bench.makePool({ size: 0, timings: { readyTimeoutMs: 200 } });
    const acquired = bench.pool.acquire('fake', AbortSignal.timeout(3_000));
    await expect(acquired).rejects.toThrow(KernelTimeoutError);
    expect(bench.pool.counts).toEqual({ idle: 0, leased: 0, starting: 0 });
    expect(bench.server.sessions.size).toBe(0);
  });

  test('never more than maxKernels: the next waits for a release', async () => {
    bench.makePool({ maxKernels: 1 });
    const first = await bench.pool.acquire('fake', signal);
    const second = bench.pool.acquire('fake', signal);
    await new Promise((done) => setTimeout(done, 50));
    expect(bench.server.sessions.size).toBe(1);
    await bench.pool.release(first);
    expect((await second).sessionId).not.toBe(first.sessionId);
  });

  test('a warm kernel of another name gives way', async () => {
    await bench.makePool({ maxKernels: 1 }).warm('other', signal);
    expect((await bench.pool.acquire('fake', signal)).kernelName).toBe('fake');
    expect(bench.server.sessions.size).toBe(1);
  });

  test('a waiter that gives up leaves nothing behind', async () => {
    bench.makePool({ maxKernels: 1 });
    const kernel = await bench.pool.acquire('fake', signal);
    await expect(bench.pool.acquire('fake', AbortSignal.timeout(20))).rejects.toThrow('timeout');
    await bench.pool.release(kernel);
    expect(bench.pool.counts).toEqual({ idle: 0, leased: 0, starting: 0 });
  });

  test('a kernel that cannot be started fails its acquire and leaves no session', async () => {
    bench.server.refuseWith = 403;
    await expect(bench.makePool().acquire('fake', signal)).rejects.toMatchObject({ statusCode: 403 });
    expect(bench.server.sessions.size).toBe(0);
  });

  test('a deletion the lab refuses, as it does while it restarts a dead kernel, is tried again', async () => {
    const kernel = await bench.makePool().acquire('fake', signal);
    const refusing = vi
      .spyOn(bench.server.host, 'deleteSession')
      .mockRejectedValueOnce(new Error('HTTP 500'));
    await bench.pool.release(kernel);
    expect(refusing).toHaveBeenCalledTimes(2);
    expect(bench.server.sessions.has(kernel.sessionId)).toBe(false);
  });

  test('close ends kernels in use, being started and waited for', async () => {
    bench.makePool({ maxKernels: 2 });
    await bench.pool.acquire('fake', signal);
    bench.server.onKernelInfo = () => undefined;
    const starting = bench.pool.acquire('fake', signal).catch((error: unknown) => error);
    await vi.waitFor(() => expect(bench.server.sessions.size).toBe(2));
    await bench.pool.close();
    expect(await starting).toBeInstanceOf(PoolClosedError);
    expect(bench.server.sessions.size).toBe(0);
    await expect(bench.pool.acquire('fake', signal)).rejects.toThrow(PoolClosedError);
  });

  test('whatever runs or starts in a lost lab fails at once, and nothing is deleted there any more', async () => {
    const labLost = new AbortController();
    const onCut = vi.fn();
    bench.makePool({ maxKernels: 2, size: 2, labLost: labLost.signal, onCut, deleteTimeoutMs: 60_000 });
    const kernel = await bench.pool.acquire('fake', signal);
    bench.server.onExecute = () => undefined;
    const running = kernel.execute('1', { onIopub: () => undefined }).catch((error: unknown) => error);
    // As of the hub in place of a lab that is not running.
    const deleting = vi.spyOn(bench.server.host, 'deleteSession').mockRejectedValue(new Error('HTTP 424'));
    bench.server.onKernelInfo = () => undefined;
    const starting = bench.pool.acquire('fake', signal).catch((error: unknown) => error);
    await vi.waitFor(() => expect(bench.server.sockets.size).toBe(2));
    bench.server.refuseWith = 424;
    for (const socket of bench.server.sockets) socket.terminate();
    await vi.waitFor(() => expect(onCut).toHaveBeenCalled());
    const lostAt = performance.now();
    labLost.abort();
    expect(await running).toBeInstanceOf(SocketClosedError);
    expect(await starting).toBeInstanceOf(Error);
    await bench.pool.close();
    expect(performance.now() - lostAt).toBeLessThan(1_000);
    const tried = deleting.mock.calls.length;
    await bench.pool.release(kernel);
    expect(deleting).toHaveBeenCalledTimes(tried);
    bench.server.sessions.clear();
  });

  test.each(['cut', 'refused'])('tells of a socket that is %s, as the lab may be gone', async (how) => {
    const onCut = vi.fn();
    bench.makePool({ onCut, refillDelayMs: 60_000 });
    if (how === 'refused') bench.server.refuseWith = 424;
    const kernel = await bench.pool.acquire('fake', signal).catch(() => undefined);
    expect(onCut).toHaveBeenCalledTimes(how === 'refused' ? 1 : 0);
    for (const socket of bench.server.sockets) socket.terminate();
    await vi.waitFor(() => expect(onCut).toHaveBeenCalledOnce());
    if (kernel) await bench.pool.release(kernel);
    expect(onCut).toHaveBeenCalledOnce();
  });
});
