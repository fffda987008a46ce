import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { workerRedis } from '../../lib/queue/redis.ts';
import {
  ConnectionLostError,
  ExecutorStopsError,
  GiveBackError,
} from '../../workers/executor/jobs/errors.ts';
import { JobQueue } from '../../workers/executor/jobs/job-queue.ts';
import { WorkerBench } from '../support/executor.ts';
import { silentLog } from '../support/log.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const LOCK_MS = 300;
let bench: WorkerBench;

beforeEach(() => {
  bench = new WorkerBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

const lost = (message: string) => ({ error: { code: 'unknown', reason: 'executor_lost', message } });
const labLost = (message: string) => ({ error: { code: 'jupyter_error', reason: 'lab_lost', message } });

/** An executor takes the job and dies; another one notices. */
async function executorDies(id: string): Promise<void> {
  const redis = workerRedis(file.url);
  const queue = new JobQueue(bench.queueName, redis, 20, silentLog());
  try {
    expect((await queue.take())?.job.id).toBe(id);
    await queue.start();
    await bench.jobThat(id, ({ state }) => state === 'waiting');
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

describe('a job whose executor died', () => {
  test('is run again within its lock and two looks for such jobs, and ends once', async () => {
    const id = await bench.add();
    await bench.takeAndVanish(LOCK_MS);
    const begun = performance.now();
    await bench.worker({ lockMs: LOCK_MS });
    const { job, end } = await bench.runsBegun(1);
    expect(performance.now() - begun).toBeLessThan(3 * LOCK_MS + 500);
    expect(job.id).toBe(id);
    end({ result_id: 'r' });
    expect((await bench.ended(id)).outcome).toEqual({ result_id: 'r' });
    expect(await bench.events('completed')).toBe(1);
    expect(bench.runs).toHaveLength(1);
  });

  test('is not taken from it while its lock lasts', async () => {
    await bench.add();
    await bench.takeAndVanish(60_000);
    await bench.worker({ lockMs: 50 });
    // The looks go on, seen by their key: none of them may take it.
    const looks = new Set<string | null>();
    while (looks.size < 4) looks.add(String(await file.redis.pexpiretime(bench.key('stalled-check'))));
    expect(bench.runs).toEqual([]);
  });

  test('is run again though its notebook had begun, where a rerun is allowed', async () => {
    const id = await bench.add({ enable_retry: true });
    await bench.takeAndVanish(50, (job) => job.updateData({ ...job.data, first_cell_started: undefined }));
    await bench.worker({ lockMs: 100 });
    (await bench.runsBegun(1)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
  });

  test('is ended where no rerun is allowed and its notebook had begun', async () => {
    const id = await bench.add({ enable_retry: false });
    await bench.takeAndVanish(50, (job) => job.updateData({ ...job.data, first_cell_started: true }));
    await bench.worker({ lockMs: 100 });
    expect((await bench.ended(id)).outcome).toEqual(
      lost('The lab or executor was lost while the notebook ran, and enable_retry is false'),
    );
    expect(bench.runs).toEqual([]);
  });

  test('is ended where its own run had marked it as begun, just before the first cell', async () => {
    const id = await bench.add({ enable_retry: false });
    await bench.worker({ lockMs: 300 });
    await (await bench.runsBegun(1)).job.markFirstCellStarted();
    await file.redis.del(bench.key(`${id}:lock`));
    expect((await bench.ended(id)).outcome).toMatchObject({ error: { reason: 'executor_lost' } });
    expect(bench.runs).toHaveLength(1);
  });

  test('is run though no rerun is allowed, when its notebook had not begun', async () => {
    const id = await bench.add({ enable_retry: false });
    await bench.takeAndVanish(50);
    await bench.worker({ lockMs: 100 });
    (await bench.runsBegun(1)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
  });

  test('is run again after three of them, and ended after the fourth', async () => {
    const [id, other] = [await bench.add(), await bench.add()];
    for (let deaths = 0; deaths < 3; deaths++) await executorDies(id);
    const worker = await bench.worker({ concurrency: 1 });
    expect((await bench.runsBegun(1)).job.id).toBe(id);
    expect(await bench.queue.find(id)).toMatchObject({ attempts: 4 });
    await worker.drain(0, new ExecutorStopsError('stopping'));
    await executorDies(id);
    await bench.worker();
    expect((await bench.ended(id)).outcome).toEqual(
      lost('The notebook was given up: its lab or executor was lost 4 times'),
    );
    expect((await bench.runsBegun(2)).job.id).toBe(other);
  });
});

describe('a job that its lab failed', () => {
  test('goes back only after the lab was looked at, and runs again', async () => {
    const seen: unknown[] = [];
    const id = await bench.add();
    await bench.worker({
      onTrouble: async (error) => void seen.push((await bench.queue.find(id))?.state, error),
    });
    const error = new GiveBackError('the lab gave no kernel');
    (await bench.runsBegun(1)).fail(error);
    (await bench.runsBegun(2)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
    expect(seen).toEqual(['active', error]);
  });

  test('is not run again where that is not allowed and its notebook had begun', async () => {
    const id = await bench.add({ enable_retry: false });
    await bench.worker();
    const { job, fail } = await bench.runsBegun(1);
    await job.markFirstCellStarted();
    fail(new GiveBackError('the lab is gone'));
    expect((await bench.ended(id)).outcome).toEqual(
      labLost('The lab or executor was lost while the notebook ran, and enable_retry is false'),
    );
    expect(bench.runs).toHaveLength(1);
  });

  test('is given up after five', async () => {
    const id = await bench.add();
    await bench.worker({
      run: (job) => {
        const run = bench.run(job);
        bench.runs.at(-1)?.fail(new GiveBackError('the lab gave no kernel'));
        return run;
      },
    });
    expect((await bench.ended(id)).outcome).toEqual(
      labLost('The notebook was given up: its lab or executor was lost 5 times'),
    );
    expect(bench.runs).toHaveLength(5);
    expect(await bench.events('completed')).toBe(1);
  });

  test('says that its executor was lost where that came last', async () => {
    const id = await bench.add({ enable_retry: false });
    await bench.worker({ lockMs: 300 });
    (await bench.runsBegun(1)).fail(new GiveBackError('the lab gave no kernel'));
    await (await bench.runsBegun(2)).job.markFirstCellStarted();
    await file.redis.del(bench.key(`${id}:lock`));
    expect((await bench.ended(id)).outcome).toMatchObject({ error: { reason: 'executor_lost' } });
  });

  test('is run again at once for the first time, later for the second', async () => {
    const id = await bench.add();
    await bench.worker({ firstBackoffMs: 400 });
    const error = new GiveBackError('the lab gave no kernel');
    const failed = performance.now();
    (await bench.runsBegun(1)).fail(error);
    const { fail } = await bench.runsBegun(2);
    expect(performance.now() - failed).toBeLessThan(400);
    const failedAgain = performance.now();
    fail(error);
    await bench.jobThat(id, ({ state }) => state === 'delayed');
    await bench.runsBegun(3);
    expect(performance.now() - failedAgain).toBeGreaterThan(390);
    expect(await bench.queue.find(id)).toMatchObject({ attempts: 3 });
  });

  test('keeps its place while it waits for its rerun', async () => {
    await bench.worker({ concurrency: 1, firstBackoffMs: 200 });
    const id = await bench.add();
    const error = new GiveBackError('the lab gave no kernel');
    (await bench.runsBegun(1)).fail(error);
    (await bench.runsBegun(2)).fail(error);
    const due = performance.now() + 200;
    await bench.jobThat(id, ({ state }) => state === 'delayed');
    const [next, last] = [await bench.add(), await bench.add()];
    const { job, end } = await bench.runsBegun(3);
    expect(job.id).toBe(next);
    await vi.waitUntil(() => performance.now() > due, { timeout: 1_000, interval: 5 });
    end({});
    const rerun = await bench.runsBegun(4);
    expect(rerun.job.id).toBe(id);
    rerun.end({});
    expect((await bench.runsBegun(5)).job.id).toBe(last);
  });

  test('spends none of its attempts when only its connection was lost', async () => {
    const id = await bench.add();
    await bench.worker();
    for (let run = 1; run <= 2; run++) (await bench.runsBegun(run)).fail(new ConnectionLostError('cut'));
    await bench.runsBegun(3);
    expect(await bench.queue.find(id)).toMatchObject({ attempts: 3, data: { lost_connections: 2 } });
    expect((await bench.queue.find(id))?.data).not.toHaveProperty('lost_attempts');
  });

  test('goes back also when the run fails with a fault of ours', async () => {
    const id = await bench.add();
    await bench.worker();
    (await bench.runsBegun(1)).fail(new TypeError('a bug'));
    (await bench.runsBegun(2)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
  });
});
