import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { errorOf } from '../../lib/contract/execution-error.ts';
import type { NbexecOutcome } from '../../lib/contract/nbexec-job.ts';
import { ExecutorStopsError, GiveBackError, JobLockLostError } from '../../workers/executor/jobs/errors.ts';
import type { HeldJob } from '../../workers/executor/jobs/held-job.ts';
import { WorkerBench } from '../support/executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const FAILED = { error: errorOf('kernel_died', 'The kernel died') };
let bench: WorkerBench;

beforeEach(() => {
  bench = new WorkerBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

describe('an executor', () => {
  test('runs as many notebooks at once as it may, and no more', async () => {
    const ids = await Promise.all(Array.from({ length: 7 }, () => bench.add()));
    let running = 0;
    let most = 0;
    const worker = await bench.worker({
      concurrency: 3,
      run: (job) => {
        most = Math.max(most, ++running);
        return bench.run(job).finally(() => running--);
      },
    });
    for (let ended = 0; ended < ids.length; ended++) {
      await bench.runsBegun(Math.min(ended + 3, ids.length));
      expect(worker.busy).toBeLessThanOrEqual(3);
      bench.runs[ended]?.end({});
    }
    const jobs = await Promise.all(ids.map((id) => bench.ended(id)));
    expect(jobs.map(({ outcome }) => outcome)).toEqual(ids.map(() => ({})));
    expect(most).toBe(3);
    expect(bench.runs.map(({ job }) => job.id)).toEqual(ids);
  });

  test('takes a job that comes while it waits', async () => {
    await bench.worker();
    await bench.idle();
    const id = await bench.add();
    const { job } = await bench.runsBegun(1, 1_000);
    expect(job).toMatchObject({
      id,
      data: { owner: 'alice', kernel_name: 'lsst' },
      attemptId: expect.any(String),
    });
  });

  test('commits how the notebook ended, and shows its progress before', async () => {
    await bench.worker();
    const id = await bench.add();
    const { job, end } = await bench.runsBegun(1);
    job.reportProgress({ cells_done: 1, cells_total: 2 });
    await bench.jobThat(id, ({ progress }) => progress?.cells_done === 1);
    const outcome: NbexecOutcome = { result_id: job.attemptId, ipynb_error: { name: 'E', message: 'm' } };
    end(outcome);
    expect((await bench.ended(id)).outcome).toEqual(outcome);
    expect(await bench.events('completed')).toBe(1);
  });

  test('keeps its jobs locked for as long as they run', async () => {
    await bench.worker({ lockMs: 150 });
    const id = await bench.add();
    const { end } = await bench.runsBegun(1);
    // Long past the first lock, by the lock's own clock.
    const renewals = new Set<number>();
    await vi.waitUntil(
      async () => {
        renewals.add(Math.ceil((await file.redis.call('PEXPIRETIME', bench.key(`${id}:lock`))) as number));
        return renewals.size > 6;
      },
      { timeout: 5_000, interval: 5 },
    );
    expect([...renewals]).not.toContain(-2);
    end({});
    await bench.ended(id);
    expect(bench.runs).toHaveLength(1);
  });
});

describe('an executor that is asked to stop', () => {
  test('gives back a job that it takes in that moment, unspent, and another runs it', async () => {
    const leaving = await bench.worker();
    await bench.idle();
    const drained = leaving.drain(10_000, new ExecutorStopsError('stopping'));
    const id = await bench.add();
    await drained;
    expect(bench.runs).toEqual([]);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'waiting' });
    await bench.worker();
    (await bench.runsBegun(1)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
  });

  test('lets a notebook end that does so within the grace', async () => {
    const worker = await bench.worker();
    const id = await bench.add();
    const { job, end } = await bench.runsBegun(1);
    const drained = worker.drain(10_000, new ExecutorStopsError('stopping'));
    end({ result_id: 'r' });
    await drained;
    expect(job.signal.aborted).toBe(false);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'ended', outcome: { result_id: 'r' } });
    expect(worker.busy).toBe(0);
  });

  test('interrupts a notebook when the grace is over, and gives its job back', async () => {
    const trouble: unknown[] = [];
    const worker = await bench.worker({ onTrouble: async (error) => void trouble.push(error) });
    const id = await bench.add();
    const { job } = await bench.runsBegun(1);
    const reason = new ExecutorStopsError('stopping');
    await worker.drain(50, reason);
    expect(job.signal.reason).toBe(reason);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'waiting' });
    // The lab is on its way out anyway.
    expect(trouble).toEqual([]);
  });

  test('hands its job on at once to an executor that waits for one', async () => {
    const leaving = await bench.worker({ concurrency: 1, lockMs: 30_000 });
    const id = await bench.add();
    await bench.runsBegun(1);
    await bench.worker({ lockMs: 30_000 });
    await bench.idle();
    const begun = performance.now();
    void leaving.drain(0, new ExecutorStopsError('stopping'));
    expect((await bench.runsBegun(2)).job.id).toBe(id);
    // Whoever waits looks by itself every two seconds.
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test.each([
    ['commits what went well and was sealed before, ', {}, 1],
    ['does not commit a failure, though it was sealed before, ', FAILED, 0],
  ])('%sas its lab is lost', async (_, outcome: NbexecOutcome, ends) => {
    const id = await bench.add();
    const sealed = Promise.withResolvers<void>();
    const run = async (job: HeldJob) => {
      await job.seal();
      sealed.resolve();
      await once(job.signal, 'abort');
      return outcome;
    };
    const worker = await bench.worker({ run });
    await sealed.promise;
    await worker.drain(0, new GiveBackError('The lab is lost'));
    expect((await bench.queue.find(id))?.state === 'ended').toBe(ends === 1);
    expect(await bench.events('completed')).toBe(ends);
  });

  test('does not commit what a notebook returns after the grace', async () => {
    const worker = await bench.worker({
      run: (job) => bench.run(job).catch(() => ({ result_id: 'too late' })),
    });
    const id = await bench.add();
    await bench.runsBegun(1);
    await worker.drain(0, new ExecutorStopsError('stopping'));
    expect(await bench.queue.find(id)).toMatchObject({ state: 'waiting' });
    expect(await bench.events('completed')).toBe(0);
  });
});

describe('a job that is no longer held', () => {
  test("is left alone when its lock is another's", async () => {
    await bench.worker({ lockMs: 150 });
    const id = await bench.add();
    const { job } = await bench.runsBegun(1);
    await file.redis.set(bench.key(`${id}:lock`), 'another', 'PX', 30_000);
    await vi.waitUntil(() => job.signal.aborted, { timeout: 2_000, interval: 5 });
    expect(job.signal.reason).toBeInstanceOf(JobLockLostError);
    await vi.waitUntil(() => bench.lines.some((line) => line.includes('job left to another executor')));
    expect(await bench.queue.find(id)).toMatchObject({ state: 'active' });
    expect(await file.redis.get(bench.key(`${id}:lock`))).toBe('another');
    expect(await bench.events('completed')).toBe(0);
  });

  test('is not ended by a run that comes to its end before it hears of it', async () => {
    // A lock this long is not looked at while the test runs.
    const worker = await bench.worker({ lockMs: 60_000 });
    const id = await bench.add();
    const { end } = await bench.runsBegun(1);
    await file.redis.set(bench.key(`${id}:lock`), 'another', 'PX', 30_000);
    end({ result_id: 'stolen' });
    await vi.waitUntil(() => worker.busy === 0);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'active' });
    expect(await file.redis.get(bench.key(`${id}:lock`))).toBe('another');
    expect(await bench.events('completed')).toBe(0);
  });

  test('runs again after its lock ran out, and ends once, with what the second run says', async () => {
    await bench.worker({
      lockMs: 150,
      run: (job) => bench.run(job).catch(() => ({ result_id: 'first' })),
    });
    const id = await bench.add();
    const first = await bench.runsBegun(1);
    await file.redis.del(bench.key(`${id}:lock`));
    const second = await bench.runsBegun(2);
    expect(first.job.signal.reason).toBeInstanceOf(JobLockLostError);
    expect(second.job.attemptId).not.toBe(first.job.attemptId);
    second.end({ result_id: 'second' });
    expect((await bench.ended(id)).outcome).toEqual({ result_id: 'second' });
    expect(await bench.events('completed')).toBe(1);
  });

  test('is neither ended nor given back once the lease is over', async () => {
    let held = true;
    const worker = await bench.worker({
      assertHeld: () => {
        if (!held) throw new Error('the lease is over');
      },
    });
    const [ended, failed] = [await bench.add(), await bench.add()];
    const [first, second] = [await bench.runsBegun(1), await bench.runsBegun(2)];
    worker.stopFetching();
    held = false;
    first.end({ result_id: 'late' });
    second.fail(new GiveBackError('late, too'));
    await vi.waitUntil(() => worker.busy === 0);
    expect(await bench.queue.find(ended)).toMatchObject({ state: 'active' });
    expect(await bench.queue.find(failed)).toMatchObject({ state: 'active' });
    expect(await bench.events('completed')).toBe(0);
  });

  test('is not even fetched once the lease is over', async () => {
    const id = await bench.add();
    const assertHeld = vi.fn<() => void>(() => {
      throw new Error('the lease is over');
    });
    await bench.worker({ assertHeld });
    await vi.waitUntil(() => assertHeld.mock.calls.length > 0);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'waiting' });
  });
});
