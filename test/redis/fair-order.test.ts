import { Worker, type Job } from 'bullmq';
import * as fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KEY_PREFIX, newJobId, type JobPriority, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { NbexecQueue, type JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const LAST_TAG = 2 ** 21 - 2;
let request: Redis;
let forWorker: Redis;
let queue: NbexecQueue;
let worker: Worker<NbexecJobData>;
let queueName: string;
let names: Map<string, string>;

beforeEach(async () => {
  request = requestRedis(file.url);
  forWorker = workerRedis(file.url);
  await untilReady(request, 5_000);
  await begin();
});

afterEach(async () => {
  await end();
  request.disconnect();
  forWorker.disconnect();
});

async function begin() {
  queueName = file.newQueueName();
  names = new Map();
  queue = new NbexecQueue(queueName, request, 60, () => undefined);
  worker = new Worker(queueName, null, { connection: forWorker, prefix: KEY_PREFIX, autorun: false });
  await worker.waitUntilReady();
}

async function end() {
  await worker.close();
  await queue.close();
}

const key = (name: string) => `${KEY_PREFIX}:${queueName}:${name}`;

/** Adds a job that goes by its owner and its number, such as `a1`. */
async function add(owner: string, priority?: JobPriority): Promise<string> {
  const id = newJobId(queueName);
  const count = [...names.values()].filter((name) => name.replace(/\d+$/, '') === owner).length;
  names.set(id, `${owner}${count + 1}`);
  await queue.add(id, {
    version: 1,
    owner,
    kernel_name: 'lsst',
    timeout_seconds: 300,
    enable_retry: true,
    ...(priority && { priority }),
  });
  return id;
}

async function addMany(count: number, owner: string, priority?: JobPriority) {
  for (let n = 0; n < count; n++) await add(owner, priority);
}

const take = () => worker.getNextJob('token', { block: false }) as Promise<Job<NbexecJobData> | undefined>;

/** Runs so many jobs, one after the other. @returns their names */
async function run(count: number): Promise<string[]> {
  const order: string[] = [];
  for (let n = 0; n < count; n++) {
    const job = await take();
    if (!job) break;
    order.push(names.get(job.id as string) as string);
    await job.moveToCompleted({}, 'token', false);
  }
  return order;
}

describe('callers', () => {
  test('are served in turn, each in the order of its submissions', async () => {
    await addMany(4, 'a');
    await addMany(2, 'b');
    await add('c');
    expect(await run(9)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  test('who come while 500 jobs of another are served are served next', async () => {
    await addMany(500, 'a');
    await run(200);
    const running = (await take()) as Job;
    expect(names.get(running.id as string)).toBe('a201');
    await add('b');
    await add('b');
    await add('c');
    expect(await run(6)).toEqual(['b1', 'c1', 'a202', 'b2', 'a203', 'a204']);
  });

  test('gain nothing from having been away, or from having used little', async () => {
    await addMany(100, 'a');
    await addMany(1, 'b');
    const running = await take();
    await run(50);
    await addMany(3, 'b');
    await addMany(3, 'c');
    await running?.moveToCompleted({}, 'token', false);
    expect(await run(8)).toEqual(['b2', 'c1', 'a51', 'b3', 'c2', 'a52', 'b4', 'c3']);
  });

  test('who were served until now are behind two jobs of one who is new, though nothing of theirs is left', async () => {
    await addMany(2, 'b');
    await addMany(2, 'a');
    await run(3);
    await addMany(3, 'c');
    await add('b');
    expect(await run(5)).toEqual(['a2', 'c1', 'c2', 'b3', 'c3']);
  });

  test('are new again once nothing is left', async () => {
    await addMany(5, 'a');
    await run(5);
    await add('a');
    await add('b');
    expect(await run(2)).toEqual(['a6', 'b1']);
    expect(Number(await file.redis.zscore(`${KEY_PREFIX}:flows:${queueName}`, 'interactive:a'))).toBe(1);
  });
});

describe('priorities', () => {
  test('go before each other, also those of one caller', async () => {
    await addMany(3, 'batch', 'batch');
    await addMany(3, 'ci', 'ci');
    await addMany(3, 'now', 'interactive');
    await addMany(1, 'none');
    expect(await run(12)).toEqual([
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
    await add('me', 'batch');
    await add('me', 'interactive');
    expect(await run(2)).toEqual(['me2', 'me1']);
  });

  test('starve none: of 21 jobs 16 are interactive, 4 ci, 1 batch', async () => {
    await addMany(10, 'batch', 'batch');
    await addMany(20, 'ci', 'ci');
    await addMany(80, 'now', 'interactive');
    const shares = (order: string[]) =>
      ['now', 'ci', 'batch'].map((owner) => order.filter((name) => name.startsWith(owner)).length);
    expect(shares(await run(21))).toEqual([16, 4, 1]);
    expect(shares(await run(42))).toEqual([32, 8, 2]);
  });

  test('starve none while new urgent jobs keep coming', async () => {
    await add('patient', 'batch');
    const served: (string | undefined)[] = [];
    while (served.length < 40) {
      await add('busy');
      served.push(...(await run(1)));
    }
    expect(served.indexOf('patient1')).toBe(15);
  });
});

describe('a job keeps its place', () => {
  test('when it is given back', async () => {
    await addMany(3, 'a');
    const job = (await take()) as Job;
    await add('b');
    await job.moveToWait('token');
    expect(await run(4)).toEqual(['a1', 'b1', 'a2', 'a3']);
  });

  test('when it was delayed', async () => {
    await addMany(3, 'a');
    const job = (await take()) as Job;
    // What moveToDelayed throws belongs to BullMQ's own loop.
    await job.moveToDelayed(Date.now(), 'token');
    await add('b');
    expect((await run(4)).indexOf('a1')).toBeLessThanOrEqual(1);
  });

  test('when its executor died', async () => {
    await addMany(3, 'a');
    await worker.close();
    const timings = { lockDuration: 100, stalledInterval: 50 };
    worker = new Worker(queueName, null, {
      connection: forWorker,
      prefix: KEY_PREFIX,
      autorun: false,
      ...timings,
    });
    await take();
    await add('b');
    await worker.startStalledCheckTimer();
    await vi.waitUntil(async () => (await file.redis.llen(key('wait'))) === 1, {
      timeout: 5_000,
      interval: 5,
    });
    expect(await run(4)).toEqual(['a1', 'b1', 'a2', 'a3']);
  });

  test('when it is added again', async () => {
    const id = await add('a');
    await addMany(2, 'a');
    const data = (await queue.find(id))?.data as NbexecJobData;
    await queue.add(id, data);
    expect(await run(4)).toEqual(['a1', 'a2', 'a3']);
  });
});

test('a job that is cancelled while it waits makes way', async () => {
  await add('a');
  const id = await add('a');
  await add('a');
  expect(await queue.cancel((await queue.find(id)) as JobSnapshot)).toBe('ended');
  expect(await run(3)).toEqual(['a1', 'a3']);
});

describe('the tags', () => {
  /** Moves everything up, as if the queue had been busy for long. */
  async function moveUp(by: number) {
    const flows = `${KEY_PREFIX}:flows:${queueName}`;
    for (const flow of await file.redis.zrange(flows, '0', '-1')) await file.redis.zincrby(flows, by, flow);
    for (const id of names.keys()) {
      await file.redis.hincrby(key(id), 'priority', by);
      if (await file.redis.zscore(key('prioritized'), id)) {
        await file.redis.zincrby(key('prioritized'), by * 2 ** 32, id);
      }
    }
  }
  const highest = async () =>
    Math.floor(Number((await file.redis.zrange(key('prioritized'), '-1', '-1', 'WITHSCORES'))[1]) / 2 ** 32);

  test('begin anew when they come to their end, in the same order, also of what runs', async () => {
    await addMany(6, 'a');
    await add('b', 'batch');
    await run(2);
    const running = (await take()) as Job;
    await moveUp(LAST_TAG - 17);
    await addMany(1, 'c');
    await add('d', 'batch');
    expect(await highest()).toBeLessThan(40);
    await running.moveToWait('token');
    expect(await run(10)).toEqual(['a3', 'c1', 'a4', 'a5', 'a6', 'b1', 'd1']);
  });

  test('end at their end when one caller has so many jobs that they do not fit', async () => {
    await add('a');
    await file.redis.zadd(`${KEY_PREFIX}:flows:${queueName}`, LAST_TAG, 'interactive:a');
    await addMany(3, 'a');
    await add('b');
    expect(await highest()).toBe(LAST_TAG);
    expect(await run(5)).toEqual(['a1', 'b1', 'a2', 'a3', 'a4']);
  });
});

test('for any arrivals, who comes anew waits for one job of each other, who is there for two, and none is lost', async () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ add: fc.constantFrom('a', 'b', 'c'), times: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 4, arbitrary: fc.constant('run' as const) },
    { weight: 1, arbitrary: fc.constant('give back' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      await end();
      await begin();
      const waiting = new Map<string, number>();
      const anew = new Set<string>();
      /** How many jobs of each other caller have been served while this one's head has waited. */
      const overtaken = new Map<string, Map<string, number>>();
      const served: string[] = [];
      const serve = async () => {
        const [name] = await run(1);
        if (name === undefined) return;
        served.push(name);
        const owner = name.replace(/\d+$/, '');
        waiting.set(owner, (waiting.get(owner) ?? 0) - 1);
        overtaken.delete(owner);
        anew.delete(owner);
        for (const [other, count] of waiting) {
          if (other === owner || count <= 0) continue;
          const by = overtaken.get(other) ?? new Map<string, number>();
          overtaken.set(other, by.set(owner, (by.get(owner) ?? 0) + 1));
          expect(by.get(owner), `${other} behind ${owner}`).toBeLessThanOrEqual(anew.has(other) ? 1 : 2);
        }
      };
      for (const next of steps) {
        if (next === 'run') await serve();
        else if (next === 'give back') await (await take())?.moveToWait('token');
        else {
          await addMany(next.times, next.add);
          if (!waiting.has(next.add)) anew.add(next.add);
          waiting.set(next.add, (waiting.get(next.add) ?? 0) + next.times);
        }
      }
      while (served.length < names.size) await serve();
      expect(served.toSorted()).toEqual([...names.values()].toSorted());
    }),
    { numRuns: 25 },
  );
}, 60_000);
