import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CANCEL_CHANNEL, eventsKey, verdictKey } from '../../lib/contract/job-keys.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { readEvents } from '../../lib/queue/live-events.ts';
import { sealEnd } from '../../lib/queue/verdict.ts';
import { ExecutorStopsError } from '../../workers/executor/jobs/errors.ts';
import { WorkerBench } from '../support/executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let bench: WorkerBench;

beforeEach(() => {
  bench = new WorkerBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

const cancel = async (id: string) => bench.queue.cancel((await bench.queue.find(id)) as JobSnapshot);
const CANCELLED = { error: { code: 'unknown', reason: 'cancelled' } };
/** Ends the run as the real one does that is interrupted by the cancel. */
const endsWhenCancelled = async () => {
  const { job, end } = await bench.runsBegun(1);
  job.cancelled.addEventListener('abort', () =>
    end({ result_id: 'partial', error: { code: 'unknown', reason: 'cancelled', cell_index: 2 } }),
  );
  return job;
};

describe('a job that waits', () => {
  test('has ended when it is cancelled, and no executor takes it any more', async () => {
    const id = await bench.add();
    const other = await bench.add();
    expect(await cancel(id)).toBe('ended');
    const job = await bench.queue.find(id);
    expect(job).toMatchObject({ state: 'ended', finishedAtMs: expect.any(Number), outcome: CANCELLED });
    await bench.worker();
    const { job: taken, end } = await bench.runsBegun(1);
    expect(taken.id).toBe(other);
    end({});
    await bench.ended(other);
    expect(bench.runs).toHaveLength(1);
    expect(await bench.queue.find(id)).toEqual(job);
    expect(await bench.events('completed')).toBe(2);
  });

  test('tells its watchers, in a stream with a TTL', async () => {
    const id = await bench.add();
    await cancel(id);
    const { events } = await readEvents(file.redis, id, '0-0', 10);
    expect(events.map(({ event }) => event)).toEqual([
      { type: 'job_ended', phase: 'aborted', success: false, reason: 'cancelled' },
    ]);
    expect(await file.redis.ttl(eventsKey(id))).toBeGreaterThan(3_000);
  });

  test('is cancelled once, however often it is asked for at once', async () => {
    const id = await bench.add();
    const job = (await bench.queue.find(id)) as JobSnapshot;
    const answers = await Promise.all(Array.from({ length: 20 }, () => bench.queue.cancel(job)));
    expect(new Set(answers)).toEqual(new Set(['ended']));
    expect(await bench.events('completed')).toBe(1);
  });
});

describe('a job that runs', () => {
  test('is told of its cancel at once, and ends with what there is', async () => {
    await bench.worker({ lockMs: 30_000 });
    const id = await bench.add();
    await endsWhenCancelled();
    expect(await cancel(id)).toBe('cancelling');
    expect(['active', 'ended']).toContain((await bench.queue.find(id))?.state);
    expect((await bench.ended(id, 1_000)).outcome).toMatchObject({
      result_id: 'partial',
      error: { reason: 'cancelled', cell_index: 2 },
    });
    expect(await file.redis.ttl(verdictKey(id))).toBeGreaterThan(0);
  });

  test('shows that it is being cancelled', async () => {
    await bench.worker();
    const id = await bench.add();
    const { end } = await bench.runsBegun(1);
    await cancel(id);
    expect(await bench.queue.find(id)).toMatchObject({ state: 'active', cancelling: true });
    end({});
    await bench.ended(id);
  });

  test('ends as cancelled although its notebook has come to its end, when the cancel came first', async () => {
    await bench.worker();
    const id = await bench.add();
    const { job, end } = await bench.runsBegun(1);
    expect(await cancel(id)).toBe('cancelling');
    await job.seal();
    end({ result_id: 'whole', ipynb_error: { name: 'E', message: 'm' }, traceback: ['t'] });
    const { outcome } = await bench.ended(id);
    expect(outcome).toMatchObject({ ...CANCELLED, result_id: 'whole' });
    expect(outcome).not.toHaveProperty('ipynb_error');
  });

  test('can be cancelled no more when its end is being committed', async () => {
    await bench.worker();
    const id = await bench.add();
    const { job, end } = await bench.runsBegun(1);
    await job.seal();
    expect(await cancel(id)).toBe('ending');
    end({ result_id: 'r' });
    expect((await bench.ended(id)).outcome).toEqual({ result_id: 'r' });
    expect(await cancel(id)).toBe('ended');
  });

  test('is cancelled even if an executor that lost it has sealed its end', async () => {
    await bench.worker();
    const id = await bench.add();
    await endsWhenCancelled();
    await sealEnd(file.redis, id, 'the attempt of another');
    expect(await cancel(id)).toBe('cancelling');
    expect((await bench.ended(id, 1_000)).outcome).toMatchObject(CANCELLED);
  });

  test('hears of a cancel that was said while nobody listened', async () => {
    await bench.worker({ lockMs: 30_000 });
    const id = await bench.add();
    await endsWhenCancelled();
    const listeners = ((await file.redis.client('LIST')) as string)
      .split('\n')
      .filter(
        (line) => line.includes('name=noteburst-cancel') && line.includes(` db=${file.redis.options.db} `),
      )
      .map((line) => /^id=(\d+)/.exec(line)?.[1] ?? '');
    expect(listeners).toHaveLength(1);
    // Said to nobody: the flag alone is there when the listener is back.
    await file.redis.set(verdictKey(id), 'cancelled', 'EX', 60);
    await file.redis.client('KILL', 'ID', listeners[0] as string);
    expect((await bench.ended(id, 3_000)).outcome).toMatchObject(CANCELLED);
  });

  test('hears of it with the renewal of its lock when the connection is dead without a sign', async () => {
    await bench.worker({ lockMs: 300 });
    const id = await bench.add();
    await endsWhenCancelled();
    await file.redis.set(verdictKey(id), 'cancelled', 'EX', 60);
    expect((await bench.ended(id, 3_000)).outcome).toMatchObject(CANCELLED);
  });

  test('has ended, with no executor alive, when its own gives it back after the cancel', async () => {
    const leaving = await bench.worker();
    const id = await bench.add();
    const { job } = await bench.runsBegun(1);
    await cancel(id);
    await vi.waitUntil(() => job.cancelled.aborted, { timeout: 1_000, interval: 1 });
    await leaving.drain(0, new ExecutorStopsError('stopping'));
    expect(await bench.queue.find(id)).toMatchObject({ state: 'ended', outcome: CANCELLED });
  });

  test('is told so, by the next executor, when its own died over it', async () => {
    const id = await bench.add();
    await bench.takeAndVanish(100);
    expect(await cancel(id)).toBe('cancelling');
    await bench.worker({
      lockMs: 100,
      run: async (job) => {
        await vi.waitUntil(() => job.cancelled.aborted, { timeout: 1_000, interval: 1 });
        return { error: { code: 'unknown', reason: 'cancelled' } };
      },
    });
    expect((await bench.ended(id)).outcome).toMatchObject(CANCELLED);
  });

  test("is not touched by another job's cancel", async () => {
    await bench.worker();
    const id = await bench.add();
    const { job, end } = await bench.runsBegun(1);
    await file.redis.publish(CANCEL_CHANNEL, `${id}0`);
    end({});
    await bench.ended(id);
    expect(job.cancelled.aborted).toBe(false);
  });
});

test('what happens to a job is in its stream when its end is seen, and its last entry is the end', async () => {
  await bench.worker();
  const id = await bench.add();
  const { job, end } = await bench.runsBegun(1);
  job.tell({ type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 1 });
  await vi.waitUntil(async () => (await file.redis.xlen(eventsKey(id))) === 2, {
    timeout: 1_000,
    interval: 5,
  });
  expect(await file.redis.ttl(eventsKey(id))).toBeGreaterThan(3_600);
  end({ ipynb_error: { name: 'E', message: 'm' } });
  await vi.waitUntil(async () => (await file.redis.xlen(eventsKey(id))) === 3, {
    timeout: 1_000,
    interval: 5,
  });
  const { events, more } = await readEvents(file.redis, id, '0-0', 10);
  expect(events.map(({ event }) => event)).toEqual([
    { type: 'job_started', attempt: 1 },
    { type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 1 },
    { type: 'job_ended', phase: 'completed', success: true, ipynb_error: 'E' },
  ]);
  expect(more).toBe(false);
  expect(await file.redis.ttl(eventsKey(id))).toBeLessThanOrEqual(3_600);
});
