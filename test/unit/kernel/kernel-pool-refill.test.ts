import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { PoolBench } from '../../support/pool-bench.ts';

const signal = new AbortController().signal;
const bench = new PoolBench();

test('hand-outs that follow one another closely do not put the refill off', async () => {
  bench.makePool({ refillDelayMs: 150 });
  await vi.waitFor(
    async () => {
      const kernel = await bench.pool.acquire('fake', signal);
      await sleep(30);
      const { idle, starting } = bench.pool.counts;
      await bench.pool.release(kernel);
      expect(idle + starting).toBeGreaterThan(0);
    },
    { interval: 1, timeout: 3_000 },
  );
});

test('while a notebook runs, and the next finds a warm kernel, the refill waits; but not for ever', async () => {
  bench.makePool({ size: 2, maxKernels: 4, refillDelayMs: 100 });
  await bench.pool.warm('fake', signal);
  const begunAt = performance.now();
  await bench.pool.acquire('fake', signal);
  await sleep(300);
  expect(bench.pool.counts).toEqual({ idle: 1, leased: 1, starting: 0 });
  await vi.waitFor(() => expect(bench.pool.counts.idle).toBe(2), { interval: 1 });
  expect(performance.now() - begunAt).toBeGreaterThan(395);
});

test('without a warm kernel for the next notebook the refill does not wait', async () => {
  bench.makePool({ size: 1, maxKernels: 2, refillDelayMs: 300 });
  await bench.pool.warm('fake', signal);
  const begunAt = performance.now();
  await bench.pool.acquire('fake', signal);
  await vi.waitFor(() => expect(bench.pool.counts.idle).toBe(1), { interval: 1 });
  expect(performance.now() - begunAt).toBeLessThan(600);
});

describe('what the pool could not start yet', () => {
  test('it starts once a notebook has made room', async () => {
    bench.makePool({ size: 1, maxKernels: 1 });
    const kernel = await bench.pool.acquire('fake', signal);
    await sleep(50); // the refill found no room
    await bench.pool.release(kernel);
    await vi.waitFor(() => expect(bench.pool.counts).toEqual({ idle: 1, leased: 0, starting: 0 }));
  });

  test('of two names, the one that notebooks just used is warm again', async () => {
    bench.makePool({ size: 3, maxKernels: 6 });
    await bench.pool.warm('other', signal);
    const kernels = await Promise.all([1, 2, 3].map(() => bench.pool.acquire('fake', signal)));
    await sleep(50);
    await Promise.all(kernels.map((kernel) => bench.pool.release(kernel)));
    await vi.waitFor(() => expect(bench.pool.counts).toEqual({ idle: 6, leased: 0, starting: 0 }));
  });

  test('kernels of names that are used no more make room', async () => {
    bench.makePool({ size: 2, maxKernels: 3, recentNames: 1 });
    await bench.pool.warm('other', signal);
    const kernel = await bench.pool.acquire('fake', signal);
    await bench.pool.release(kernel);
    await vi.waitFor(() => expect(bench.server.counts.opened).toBe(2 + 1 + 2));
    await vi.waitFor(() => expect(bench.pool.counts).toMatchObject({ leased: 0, starting: 0 }));
  });

  test('it tries again, ever more seldom, until it succeeds', async () => {
    const startedAt: number[] = [];
    const startSession = vi.spyOn(bench.server.host, 'startSession');
    const onBackgroundError = vi.fn<(error: unknown) => void>();
    bench.makePool({ size: 2, refillDelayMs: 20, onBackgroundError });
    const kernel = await bench.pool.acquire('fake', signal);
    startSession.mockImplementation(() => {
      startedAt.push(performance.now());
      return Promise.reject(new Error('no space left on device'));
    });
    await vi.waitFor(() => expect(startedAt.length).toBe(8), { interval: 1 });
    const [first, , , , , , fourth] = startedAt as [number, ...number[]];
    expect((fourth ?? 0) - first).toBeGreaterThanOrEqual(40 + 80 + 160 - 5);
    startSession.mockRestore();
    await vi.waitFor(() => expect(bench.pool.counts.idle).toBe(2), 3_000);
    await bench.pool.release(kernel);
  });
});

test('a warm kernel whose socket is closed is replaced at once', async () => {
  await bench.makePool({ size: 2 }).warm('fake', signal);
  const culled = [...bench.server.sessions.keys()];
  for (const socket of bench.server.sockets) socket.terminate();
  await vi.waitFor(() => expect(bench.server.counts.opened).toBe(4));
  await vi.waitFor(() => expect(bench.pool.counts).toEqual({ idle: 2, leased: 0, starting: 0 }));
  expect(culled.filter((id) => bench.server.sessions.has(id))).toEqual([]);
});
