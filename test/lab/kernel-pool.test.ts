import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { KernelPool, type KernelPoolOptions } from '../../workers/executor/kernel/kernel-pool.ts';
import { Seen, SPAWN_MS, TestLab } from '../support/started-lab.ts';

const BURST = 40;
const LANES = 3;
const signal = new AbortController().signal;
let lab: TestLab;
let pool: KernelPool;

beforeAll(async () => {
  lab = await TestLab.start();
}, SPAWN_MS);
afterAll(() => lab[Symbol.asyncDispose](), SPAWN_MS);
afterEach(async () => {
  await pool.close();
  const left = await lab.lab.listKernels(signal);
  if (left.length > 0) throw new Error('the pool left kernels behind');
});

function makePool(options: Partial<KernelPoolOptions> = {}): KernelPool {
  pool = new KernelPool({
    host: lab.lab,
    sessionPathPrefix: 'noteburst/1/',
    size: 3,
    maxKernels: 6,
    ...options,
  });
  return pool;
}

/** What the executor does with a burst of jobs: three at a time, a kernel for each. */
async function burst(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  let left = BURST;
  const lane = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return performance.now() - begun;
}

test(
  'a burst of short notebooks costs little more than starting its kernels',
  { timeout: 120_000 },
  async () => {
    const starts = makePool({ size: 0, maxKernels: LANES });
    const alone = await burst(async () => starts.release(await starts.acquire('python3', signal)));
    await starts.close();
    await makePool().warm('python3', signal);
    const pooled = await burst(async () => {
      const kernel = await pool.acquire('python3', signal);
      for (let cell = 0; cell < 5; cell++) await kernel.execute(`print(${cell})`, new Seen());
      void pool.release(kernel);
    });
    console.log(
      `${BURST} kernels: started alone ${Math.round(alone)} ms, with five cells each ${Math.round(pooled)} ms`,
    );
    expect(pooled).toBeLessThan(1.2 * alone);
  },
);

test('a warm kernel that the lab culled is noticed and replaced', async () => {
  await makePool({ size: 1 }).warm('python3', signal);
  const [culled] = await lab.lab.listKernels(signal);
  await lab.lab.deleteKernel(culled ?? '', signal);
  const kernel = await pool.acquire('python3', signal);
  expect(kernel.kernelId).not.toBe(culled);
  expect(await kernel.execute('1', new Seen())).toMatchObject({ reply: { status: 'ok' } });
  await vi.waitFor(() => expect(pool.counts.idle).toBe(1), { timeout: 10_000 });
});
