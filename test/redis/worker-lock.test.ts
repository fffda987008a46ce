import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventsKey } from '../../lib/contract/job-keys.ts';
import type { NbexecOutcome } from '../../lib/contract/nbexec-job.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { GiveBackError, JobLockLostError } from '../../workers/executor/jobs/errors.ts';
import { WorkerBench } from '../support/executor.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let bench: WorkerBench;
let proxy: FaultProxy;
/** Through the proxy. */
let redis: Redis;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  proxy = stack.use(await FaultProxy.start(file.url));
  redis = workerRedis(proxy.url);
  stack.defer(() => redis.disconnect());
  bench = stack.use(new WorkerBench(file));
});
afterEach(() => stack.disposeAsync());

const LOCK_MS = 1_500;
/** After it the lock still lasts in Redis, but not surely. */
const DEADLINE_MS = (LOCK_MS * 5) / 6;
const said = (text: string) =>
  vi.waitUntil(() => bench.lines.some((line) => line.includes(text)), { timeout: 5_000, interval: 5 });

/** As a synchronous call does that takes long, or SIGSTOP: no timer has its turn. */
const block = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

describe('an executor that Redis does not answer', () => {
  test('leaves its jobs alone before their locks run out, and another ends them, once', async () => {
    await bench.worker({ redis, lockMs: LOCK_MS });
    const id = await bench.add();
    const first = await bench.runsBegun(1);
    const begun = performance.now();
    proxy.partition();
    await vi.waitUntil(() => first.job.signal.aborted, { timeout: 5_000, interval: 2 });
    expect(first.job.signal.reason).toBeInstanceOf(JobLockLostError);
    expect(performance.now() - begun).toBeLessThan(LOCK_MS);
    await bench.worker({ lockMs: LOCK_MS });
    const second = await bench.runsBegun(2, 3 * LOCK_MS + 1_000);
    second.end({ result_id: 'second' });
    expect((await bench.ended(id)).outcome).toEqual({ result_id: 'second' });
    // What the first one had under way comes through now.
    proxy.heal();
    await redis.ping();
    expect(await bench.events('completed')).toBe(1);
    expect((await bench.queue.find(id))?.outcome).toEqual({ result_id: 'second' });
  });
});

describe('an event loop that was blocked beyond the deadline', () => {
  const blocked = (end: () => NbexecOutcome, onLoopBlocked = () => {}) =>
    bench.worker({
      onLoopBlocked,
      lockMs: LOCK_MS,
      concurrency: 1,
      run: async (job) => {
        void bench.run(job).catch(() => undefined);
        // The measuring of delays begins a moment after the start.
        await new Promise((resolve) => setTimeout(resolve, 100));
        block(DEADLINE_MS);
        return end();
      },
    });

  test('lets nothing be committed, though Redis would still take it', async () => {
    const id = await bench.add();
    const worker = await blocked(() => ({ result_id: 'late' }));
    await said('job left to another executor');
    worker.stopFetching();
    expect(await bench.queue.find(id)).toMatchObject({ state: 'active' });
    expect(await bench.events('completed')).toBe(0);
  });

  test('lets nothing be given back', async () => {
    const id = await bench.add();
    const worker = await blocked(() => {
      throw new GiveBackError('the lab gave no kernel');
    });
    await said('job left to another executor');
    worker.stopFetching();
    expect(await bench.queue.find(id)).toMatchObject({ state: 'active', attempts: 1 });
  });

  test('is logged and told', async () => {
    await bench.add();
    const onLoopBlocked = vi.fn<() => void>();
    const worker = await blocked(() => ({}), onLoopBlocked);
    await said('the event loop was blocked');
    expect(onLoopBlocked).toHaveBeenCalledOnce();
    worker.stopFetching();
  });
});

describe("a job that is another's by now, unknown to its run", () => {
  test('is not marked as begun, and the run hears of it', async () => {
    await bench.worker({ lockMs: 60_000 });
    const id = await bench.add({ enable_retry: false });
    const { job } = await bench.runsBegun(1);
    await file.redis.set(bench.key(`${id}:lock`), 'another', 'PX', 30_000);
    await expect(job.markFirstCellStarted()).rejects.toThrow(JobLockLostError);
    expect((await bench.queue.find(id))?.data).not.toHaveProperty('first_cell_started');
  });

  test('counts no loss when the run fails', async () => {
    const worker = await bench.worker({ lockMs: 60_000 });
    const id = await bench.add();
    const { fail } = await bench.runsBegun(1);
    await file.redis.set(bench.key(`${id}:lock`), 'another', 'PX', 30_000);
    fail(new GiveBackError('the lab is gone'));
    await vi.waitUntil(() => worker.busy === 0);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'active', attempts: 1 });
  });
});

test('a commit whose answer was lost is the end, also when it is refused the second time', async () => {
  await bench.worker({ redis, lockMs: 60_000 });
  const id = await bench.add();
  const { end } = await bench.runsBegun(1);
  const lost = proxy.loseReplyTo('the-result');
  end({ result_id: 'the-result' });
  await lost;
  await said('job ended');
  expect((await bench.queue.find(id))?.outcome).toEqual({ result_id: 'the-result' });
  expect(await bench.events('completed')).toBe(1);
  await vi.waitUntil(async () => {
    const entries = await file.redis.xrange(eventsKey(id), '-', '+');
    return entries.at(-1)?.[1][1]?.includes('job_ended');
  });
});

test('a job that was taken, and only the answer lost, is found and ends once', async () => {
  const id = await bench.add();
  // In the command that takes a job, and in no other.
  const lost = proxy.loseReplyTo('lockDuration');
  await bench.worker({ redis, lockMs: 600 });
  await lost;
  const { job, end } = await bench.runsBegun(1);
  expect(job.id).toBe(id);
  end({ result_id: 'r' });
  expect((await bench.ended(id)).outcome).toEqual({ result_id: 'r' });
  expect(await bench.events('active')).toBe(2);
  expect(await bench.events('completed')).toBe(1);
  expect(bench.runs).toHaveLength(1);
});
