import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KEY_PREFIX, newJobId, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import { requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const DATA: NbexecJobData = {
  version: 1,
  owner: 'alice',
  kernel_name: 'lsst',
  timeout_seconds: 300,
  enable_retry: true,
};
const RETENTION_SECONDS = 60;
let queueName: string;
let request: Redis;
let forWorker: Redis;
let worker: Worker;
let queue: NbexecQueue;
let errors: Error[];

beforeEach(async () => {
  queueName = file.newQueueName();
  errors = [];
  request = requestRedis(file.url);
  await untilReady(request, 5_000);
  queue = new NbexecQueue(queueName, request, RETENTION_SECONDS, (error) => errors.push(error));
  forWorker = workerRedis(file.url);
  worker = new Worker(queueName, null, { connection: forWorker, prefix: KEY_PREFIX, autorun: false });
  await worker.waitUntilReady();
});

afterEach(async () => {
  await worker.close();
  await queue.close();
  request.disconnect();
  forWorker.disconnect();
  if (errors.length > 0) throw new AggregateError(errors, 'the queue had errors');
});

const keyOf = (id: string): string => `${KEY_PREFIX}:${queueName}:${id}`;

async function add(): Promise<string> {
  const id = newJobId(queueName);
  await queue.add(id, DATA);
  return id;
}

async function take() {
  const job = await worker.getNextJob('token', { block: false });
  if (!job) throw new Error('there was no job');
  return job;
}

describe('a job', () => {
  test('that is added twice under one id is one job', async () => {
    const id = newJobId(queueName);
    const { enqueuedAtMs } = await queue.add(id, DATA);
    await queue.add(id, { ...DATA, owner: 'bob' });
    expect(await file.redis.zcard(keyOf('prioritized'))).toBe(1);
    expect(await queue.find(id)).toMatchObject({ data: DATA, enqueuedAtMs });
  });

  test('whose confirmation is lost is asked for again, and is one job at its place', async () => {
    await using proxy = await FaultProxy.start(file.url);
    const through = requestRedis(proxy.url);
    through.on('error', () => undefined);
    await untilReady(through, 5_000);
    const behind = new NbexecQueue(queueName, through, RETENTION_SECONDS, () => undefined);
    await behind.add(newJobId(queueName), DATA);
    const id = newJobId(queueName);
    const lost = proxy.loseReplyTo(id);
    expect(await behind.add(id, DATA)).toMatchObject({ startsInSeconds: 1 });
    await lost;
    expect(await file.redis.zcard(keyOf('prioritized'))).toBe(2);
    expect(await file.redis.hget(keyOf(id), 'priority')).toBe('2');
    await behind.close();
    through.disconnect();
  });

  test('that waits', async () => {
    const before = Date.now();
    const id = await add();
    const found = await queue.find(id);
    expect(found).toEqual({
      id,
      data: DATA,
      state: 'waiting',
      enqueuedAtMs: expect.any(Number),
      startsInSeconds: 1,
    });
    expect(found?.enqueuedAtMs).toBeGreaterThanOrEqual(before);
  });

  test('that runs, with its progress', async () => {
    const id = await add();
    const job = await take();
    expect(await queue.find(id)).toMatchObject({ state: 'active', startedAtMs: expect.any(Number) });
    await job.updateProgress({ cells_done: 1, cells_total: 2, current_cell: 1 });
    expect((await queue.find(id))?.progress).toEqual({ cells_done: 1, cells_total: 2, current_cell: 1 });
  });

  test('that has ended, with its outcome', async () => {
    const id = await add();
    const outcome = { result_id: 'r1', ipynb_error: { name: 'ValueError', message: 'no' } };
    await (await take()).moveToCompleted(outcome, 'token', false);
    expect(await queue.find(id)).toEqual({
      id,
      data: DATA,
      state: 'ended',
      enqueuedAtMs: expect.any(Number),
      startedAtMs: expect.any(Number),
      finishedAtMs: expect.any(Number),
      attempts: 1,
      outcome,
    });
  });

  test('that BullMQ itself has given up', async () => {
    const id = await add();
    await (await take()).moveToFailed(new Error('job stalled more than allowable limit'), 'token', false);
    const found = await queue.find(id);
    expect(found).toMatchObject({ state: 'ended', failedReason: 'job stalled more than allowable limit' });
    expect(found).not.toHaveProperty('outcome');
  });

  test('that is held back', async () => {
    const id = await add();
    // What moveToDelayed throws belongs to BullMQ's own loop.
    await (await take()).moveToDelayed(Date.now() + 60_000, 'token');
    expect(await queue.find(id)).toMatchObject({ state: 'delayed' });
  });

  test('that was given back waits again', async () => {
    const id = await add();
    await (await take()).moveToWait('token');
    expect(await queue.find(id)).toMatchObject({ state: 'waiting' });
  });

  test('that was never there is not found', async () => {
    expect(await queue.find(newJobId(queueName))).toBeUndefined();
  });

  test('is not found in another queue', async () => {
    const id = await add();
    const other = new NbexecQueue(file.newQueueName(), request, RETENTION_SECONDS, () => undefined);
    expect(await other.find(id)).toBeUndefined();
    await other.close();
  });

  test('that ended longer ago than the retention is not found, though BullMQ still keeps it', async () => {
    const id = await add();
    await (await take()).moveToCompleted({}, 'token', false);
    await file.redis.hset(keyOf(id), 'finishedOn', Date.now() - RETENTION_SECONDS * 1_000 + 30_000);
    expect(await queue.find(id)).toBeDefined();
    await file.redis.hset(keyOf(id), 'finishedOn', Date.now() - RETENTION_SECONDS * 1_000 - 1);
    expect(await queue.find(id)).toBeUndefined();
    expect(await file.redis.exists(keyOf(id))).toBe(1);
  });

  test('that no sweep has removed an hour after the retention is removed when another ends', async () => {
    const old = await add();
    await (await take()).moveToCompleted({}, 'token', false);
    const longAgo = Date.now() - (RETENTION_SECONDS + 3_600) * 1_000 - 5_000;
    await file.redis.hset(keyOf(old), 'finishedOn', longAgo);
    await file.redis.zadd(keyOf('completed'), longAgo, old);
    await add();
    await (await take()).moveToCompleted({}, 'token', false);
    expect(await file.redis.exists(keyOf(old))).toBe(0);
  });
});
