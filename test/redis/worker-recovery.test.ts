import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GiveBackError } from '../../workers/executor/worker.ts';
import { WorkerBench } from '../support/executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const LOCK_MS = 300;
let bench: WorkerBench;

beforeEach(() => {
  bench = new WorkerBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

const lost = (message: string) => ({ error: { code: 'unknown', reason: 'executor_lost', message } });

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

  test('is run though no rerun is allowed, when its notebook had not begun', async () => {
    const id = await bench.add({ enable_retry: false });
    await bench.takeAndVanish(50);
    await bench.worker({ lockMs: 100 });
    (await bench.runsBegun(1)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
  });

  test('is ended when BullMQ has seen too many of its executors die', async () => {
    const id = await bench.add();
    await file.redis.hset(bench.key(id), 'defa', 'job stalled more than allowable limit', 'stc', '4');
    await bench.worker();
    expect((await bench.ended(id)).outcome).toEqual(
      lost('The notebook was given up: its lab or executor was lost 4 times'),
    );
    expect(bench.runs).toEqual([]);
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
      lost('The lab or executor was lost while the notebook ran, and enable_retry is false'),
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
      lost('The notebook was given up: its lab or executor was lost 5 times'),
    );
    expect(bench.runs).toHaveLength(5);
    expect(await bench.events('completed')).toBe(1);
  });

  test('goes back also when the run fails with a fault of ours', async () => {
    const id = await bench.add();
    await bench.worker();
    (await bench.runsBegun(1)).fail(new TypeError('a bug'));
    (await bench.runsBegun(2)).end({});
    expect((await bench.ended(id)).outcome).toEqual({});
  });
});
