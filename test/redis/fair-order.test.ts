import type { Job } from 'bullmq';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KEY_PREFIX, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { FairQueue } from '../support/fair-queue.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const LAST_TAG = 2 ** 21 - 2;
let fair: FairQueue;

beforeEach(async () => {
  fair = await FairQueue.open(file);
});

afterEach(() => fair[Symbol.asyncDispose]());

describe('callers', () => {
  test('are served in turn, each in the order of its submissions', async () => {
    await fair.addMany(4, 'a');
    await fair.addMany(2, 'b');
    await fair.add('c');
    expect(await fair.run(9)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  test('who come while 500 jobs of another are served are served next', async () => {
    await fair.addMany(500, 'a');
    await fair.run(200);
    const running = (await fair.take()) as Job;
    expect(fair.nameOf(running)).toBe('a201');
    await fair.add('b');
    await fair.add('b');
    await fair.add('c');
    expect(await fair.run(6)).toEqual(['b1', 'c1', 'a202', 'b2', 'a203', 'a204']);
  });

  test('gain nothing from having been away, or from having used little', async () => {
    await fair.addMany(100, 'a');
    await fair.addMany(1, 'b');
    const running = await fair.take();
    await fair.run(50);
    await fair.addMany(3, 'b');
    await fair.addMany(3, 'c');
    await running?.moveToCompleted({}, 'token', false);
    expect(await fair.run(8)).toEqual(['b2', 'c1', 'a51', 'b3', 'c2', 'a52', 'b4', 'c3']);
  });

  test('who were served until now are behind two jobs of one who is new, though nothing of theirs is left', async () => {
    await fair.addMany(2, 'b');
    await fair.addMany(2, 'a');
    await fair.run(3);
    await fair.addMany(3, 'c');
    await fair.add('b');
    expect(await fair.run(5)).toEqual(['a2', 'c1', 'c2', 'b3', 'c3']);
  });

  test('are new again once nothing is left', async () => {
    await fair.addMany(5, 'a');
    await fair.run(5);
    await fair.add('a');
    await fair.add('b');
    expect(await fair.run(2)).toEqual(['a6', 'b1']);
    expect(Number(await file.redis.zscore(`${KEY_PREFIX}:flows:${fair.queueName}`, 'interactive:a'))).toBe(1);
  });
});

describe('priorities', () => {
  test('go before each other, also those of one caller', async () => {
    await fair.addMany(3, 'batch', 'batch');
    await fair.addMany(3, 'ci', 'ci');
    await fair.addMany(3, 'now', 'interactive');
    await fair.addMany(1, 'none');
    expect(await fair.run(12)).toEqual([
      'now1',
      'none1',
      'now2',
      'now3',
      'ci1',
      'ci2',
      'ci3',
      'batch1',
      'batch2',
      'batch3',
    ]);
    await fair.add('me', 'batch');
    await fair.add('me', 'interactive');
    expect(await fair.run(2)).toEqual(['me2', 'me1']);
  });

  test('starve none: of 21 jobs 16 are interactive, 4 ci, 1 batch', async () => {
    await fair.addMany(10, 'batch', 'batch');
    await fair.addMany(20, 'ci', 'ci');
    await fair.addMany(80, 'now', 'interactive');
    const shares = (order: string[]) =>
      ['now', 'ci', 'batch'].map((owner) => order.filter((name) => name.startsWith(owner)).length);
    expect(shares(await fair.run(21))).toEqual([16, 4, 1]);
    expect(shares(await fair.run(42))).toEqual([32, 8, 2]);
  });

  test('starve none while new urgent jobs keep coming', async () => {
    await fair.add('patient', 'batch');
    const served: (string | undefined)[] = [];
    while (served.length < 40) {
      await fair.add('busy');
      served.push(...(await fair.run(1)));
    }
    expect(served.indexOf('patient1')).toBe(15);
  });
});

describe('a job keeps its place', () => {
  test('when it is given back', async () => {
    await fair.addMany(3, 'a');
    const job = (await fair.take()) as Job;
    await fair.add('b');
    await job.moveToWait('token');
    expect(await fair.run(4)).toEqual(['a1', 'b1', 'a2', 'a3']);
  });

  test('when it was delayed', async () => {
    await fair.addMany(3, 'a');
    const job = (await fair.take()) as Job;
    // What moveToDelayed throws belongs to BullMQ's own loop.
    await job.moveToDelayed(Date.now(), 'token');
    await fair.add('b');
    expect((await fair.run(4)).indexOf('a1')).toBeLessThanOrEqual(1);
  });

  test('when its executor died', async () => {
    await fair.addMany(3, 'a');
    await fair.restartWorker({ lockDuration: 100, stalledInterval: 50 });
    await fair.take();
    await fair.add('b');
    await fair.worker.startStalledCheckTimer();
    await vi.waitUntil(async () => (await file.redis.llen(fair.key('wait'))) === 1, {
      timeout: 5_000,
      interval: 5,
    });
    expect(await fair.run(4)).toEqual(['a1', 'b1', 'a2', 'a3']);
  });

  test('when it is added again', async () => {
    const id = await fair.add('a');
    await fair.addMany(2, 'a');
    const data = (await fair.queue.find(id))?.data as NbexecJobData;
    await fair.queue.add(id, data);
    expect(await fair.run(4)).toEqual(['a1', 'a2', 'a3']);
  });
});

test('a job that is cancelled while it waits makes way', async () => {
  await fair.add('a');
  const id = await fair.add('a');
  await fair.add('a');
  expect(await fair.queue.cancel((await fair.queue.find(id)) as JobSnapshot)).toBe('ended');
  expect(await fair.run(3)).toEqual(['a1', 'a3']);
});

describe('the tags', () => {
  /** Moves everything up, as if the queue had been busy for long. */
  async function moveUp(by: number) {
    const flows = `${KEY_PREFIX}:flows:${fair.queueName}`;
    for (const flow of await file.redis.zrange(flows, '0', '-1')) await file.redis.zincrby(flows, by, flow);
    for (const id of fair.names.keys()) {
      await file.redis.hincrby(fair.key(id), 'priority', by);
      if (await file.redis.zscore(fair.key('prioritized'), id)) {
        await file.redis.zincrby(fair.key('prioritized'), by * 2 ** 32, id);
      }
    }
  }
  const highest = async () =>
    Math.floor(
      Number((await file.redis.zrange(fair.key('prioritized'), '-1', '-1', 'WITHSCORES'))[1]) / 2 ** 32,
    );

  test('begin anew when they come to their end, in the same order, also of what runs', async () => {
    await fair.addMany(6, 'a');
    await fair.add('b', 'batch');
    await fair.run(2);
    const running = (await fair.take()) as Job;
    await moveUp(LAST_TAG - 17);
    await fair.addMany(1, 'c');
    await fair.add('d', 'batch');
    expect(await highest()).toBeLessThan(40);
    await running.moveToWait('token');
    expect(await fair.run(10)).toEqual(['a3', 'c1', 'a4', 'a5', 'a6', 'b1', 'd1']);
  });

  test('end at their end when one caller has so many jobs that they do not fit', async () => {
    await fair.add('a');
    await file.redis.zadd(`${KEY_PREFIX}:flows:${fair.queueName}`, LAST_TAG, 'interactive:a');
    await fair.addMany(3, 'a');
    await fair.add('b');
    expect(await highest()).toBe(LAST_TAG);
    expect(await fair.run(5)).toEqual(['a1', 'b1', 'a2', 'a3', 'a4']);
  });
});
