import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { KernelPool, type KernelPoolOptions } from '../../workers/executor/kernel/kernel-pool.ts';
import { Seen, SPAWN_MS, TestLab } from '../support/started-lab.ts';

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

test('a warm kernel that the lab culled is noticed and replaced', async () => {
  await makePool({ size: 1 }).warm('python3', signal);
  const [culled] = await lab.lab.listKernels(signal);
  await lab.lab.deleteKernel(culled ?? '', signal);
  const kernel = await pool.acquire('python3', signal);
  expect(kernel.kernelId).not.toBe(culled);
  expect(await kernel.execute('1', new Seen())).toMatchObject({ reply: { status: 'ok' } });
  await vi.waitFor(() => expect(pool.counts.idle).toBe(1), { timeout: 10_000 });
});
