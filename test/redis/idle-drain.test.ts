import { expect, test, vi } from 'vitest';
import { ExecutorStopsError } from '../../workers/executor/jobs/errors.ts';
import { WorkerBench } from '../support/executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();

test('an idle executor that is asked to stop does not wait for a job any longer', async () => {
  await using bench = new WorkerBench(file);
  const worker = await bench.worker();
  await bench.idle();
  const begun = performance.now();
  await worker.drain(60_000, new ExecutorStopsError('asked to stop'));
  // A fetch waits for 2 s.
  expect(performance.now() - begun).toBeLessThan(1_000);
  await worker.close();
});

test('a job that comes in that moment is not lost, not spent, and another has it soon', async () => {
  for (let round = 0; round < 10; round++) {
    await using bench = new WorkerBench(file);
    const stopping = await bench.worker();
    await bench.idle();
    const other = await bench.worker();
    const added = bench.add();
    // From before it is added to after it was taken.
    await new Promise((resolve) => setTimeout(resolve, round / 2));
    await stopping.drain(0, new ExecutorStopsError('asked to stop'));
    const id = await added;
    const isRun = () => bench.runs.find(({ job }) => !job.signal.aborted);
    const { job, end } = await vi.waitUntil(isRun, { timeout: 1_500, interval: 5 });
    expect(job.id).toBe(id);
    end({});
    expect((await bench.ended(id)).attempts).toBe(1);
    await other.drain(0, new ExecutorStopsError('the round is over'));
  }
});
