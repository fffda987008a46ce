import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GiveBackError, ExecutorStopsError } from '../../../workers/executor/jobs/errors.ts';
import { JobQueue } from '../../../workers/executor/jobs/job-queue.ts';
import { NbexecWorker } from '../../../workers/executor/jobs/worker.ts';
import { KernelDiedError } from '../../../workers/executor/kernel/kernel-error.ts';
import { runJob, type RunJobParts } from '../../../workers/executor/run-job.ts';
import { WorkerBench } from '../../support/executor.ts';
import { heldJob } from '../../support/held-job.ts';
import { ipynb } from '../../support/notebooks.ts';
import { workerRedis } from '../../../lib/queue/redis.ts';
import { silentLog } from '../../support/log.ts';
import { redisOfFile } from '../../support/redis.ts';

// Each invariant twice: with its guard it holds; without, the same look finds it broken. So the guard is what makes it
// hold, and the test would notice its loss.
const GUARDS = [
  ['holds', true],
  ['is broken without its guard', false],
] as const;

const file = await redisOfFile();
let bench: WorkerBench;
beforeEach(() => void (bench = new WorkerBench(file)));
afterEach(async () => {
  vi.restoreAllMocks();
  await bench[Symbol.asyncDispose]();
});

describe('I1, one terminal transition at most, by whoever holds the job', () => {
  test.each(GUARDS)('%s: the lock’s token in the commit', async (_, guarded) => {
    if (!guarded) {
      const withoutToken: JobQueue['complete'] = async ({ job }, outcome) =>
        void (await job.moveToCompleted(outcome, '0', false));
      vi.spyOn(JobQueue.prototype, 'complete').mockImplementation(withoutToken);
    }
    const redis = workerRedis(file.url);
    const [late, holder] = [1, 2].map(() => new JobQueue(bench.queueName, redis, 100, silentLog()));
    try {
      const id = await bench.add();
      const lost = await late?.take();
      await holder?.start();
      const held = await vi.waitUntil(() => holder?.take(), { timeout: 10_000 });
      if (!lost || !held) throw new Error('the job was not taken twice');
      // The late one knows nothing of its loss, and its own deadline is not asked here.
      const commits = [
        await late?.complete(lost, { result_id: 'late' }).then(
          () => 'late',
          () => undefined,
        ),
        await holder?.complete(held, { result_id: 'held' }).then(
          () => 'held',
          () => undefined,
        ),
      ];
      expect((await bench.ended(id)).outcome?.result_id).toBe(guarded ? 'held' : 'late');
      expect(commits).toEqual(guarded ? [undefined, 'held'] : ['late', undefined]);
      expect(await bench.events('completed')).toBe(1);
    } finally {
      await Promise.all([late?.close(), holder?.close()]);
      redis.disconnect();
    }
  });
});

describe('I2, an accepted job ends within a bound', () => {
  test.each(GUARDS)('%s: the look for jobs of executors that died', async (_, guarded) => {
    if (!guarded) vi.spyOn(JobQueue.prototype, 'start').mockResolvedValue();
    const id = await bench.add();
    await bench.takeAndVanish(50);
    await bench.worker({ lockMs: 150, run: async () => ({}) });
    const inTime = await bench.ended(id, 2_000).then(
      () => true,
      () => false,
    );
    expect(inTime).toBe(guarded);
  });
});

describe('I5, nothing terminal is written after the deadline', () => {
  test.each(GUARDS)('%s: the lease is asked before the commit', async (_, guarded) => {
    let over = false;
    const assertHeld = () => {
      if (over && guarded) throw new GiveBackError('the lease is over');
    };
    const id = await bench.add();
    const worker = await bench.worker({ lockMs: 10_000, assertHeld });
    const run = await bench.runsBegun(1);
    over = true;
    run.end({ result_id: 'late' });
    await vi.waitUntil(() => worker.busy === 0, { timeout: 5_000, interval: 5 });
    const job = await bench.queue.find(id);
    expect(job?.state).toBe(guarded ? 'active' : 'ended');
  });
});

describe('I6, a kernel that dies while the lease is invalid is not the notebook’s failure', () => {
  test.each(GUARDS)('%s: the lease is asked before the failure is believed', async (_, guarded) => {
    const lost = new Error('the lease is lost');
    const died = { failure: { error: new KernelDiedError('its process ended'), cell_index: 0 } };
    const run = { ...died, warnings: [], [Symbol.dispose]: () => undefined };
    const parts: RunJobParts = {
      backend: { run: async () => run },
      store: { getSource: async () => ipynb(), putResult: async () => undefined },
      startWithinSeconds: 60,
      resultTtlSeconds: 60,
      environment: { image: 'recommended', executor: 'here', lab: 'bot' },
      assertHeld: () => {
        if (guarded) throw lost;
      },
    };
    const outcome = await runJob(heldJob(), parts).catch((error: unknown) => error);
    expect(outcome).toMatchObject(guarded ? lost : { error: { reason: 'kernel_died' } });
  });
});

describe('I7, no job starts after SIGTERM', () => {
  test.each(GUARDS)('%s: what is taken while stopping is given back', async (_, guarded) => {
    const worker = await bench.worker();
    await bench.idle();
    if (!guarded) vi.spyOn(NbexecWorker.prototype, 'stopFetching').mockReturnValue();
    const draining = worker.drain(60_000, new ExecutorStopsError('SIGTERM'));
    const id = await bench.add();
    await Promise.race([draining, bench.runsBegun(1, 10_000).catch(() => undefined)]);
    expect(bench.runs).toHaveLength(guarded ? 0 : 1);
    expect(await bench.queue.find(id)).toMatchObject({ state: guarded ? 'waiting' : 'active' });
    bench.runs[0]?.end({});
    vi.restoreAllMocks();
    await worker.drain(0, new ExecutorStopsError('the test is over'));
    await draining;
  });
});
