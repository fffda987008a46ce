import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Admission } from '../../lib/queue/admission.ts';
import { unfinishedKey } from '../../lib/queue/owner-keys.ts';
import { QueueFullError, TooManyJobsError } from '../../lib/queue/submission-errors.ts';
import { newJobId, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { WorkerBench } from '../support/executor.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { TestRedisServer } from '../support/redis-server.ts';

const file = await redisOfFile();
const DATA: NbexecJobData = {
  version: 1,
  owner: 'alice',
  kernel_name: 'lsst',
  timeout_seconds: 300,
  enable_retry: true,
};
/** A submission that nothing is special about. */
const as = (jobId: string, owner = 'alice') => ({ jobId, owner, fingerprint: jobId });

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

async function submit(functions: Functions, source = ipynb(), user: 'alice' | 'bob' = 'alice') {
  const response = await fetch(`${functions.submit.url}/noteburst/v1/notebooks/`, {
    method: 'POST',
    headers: { ...identity(user), 'Content-Type': 'application/json' },
    body: JSON.stringify({ ipynb: source }),
  });
  const json = (await response.json()) as { job_id: string; detail?: { type: string; msg: string }[] };
  return { status: response.status, retryAfter: Number(response.headers.get('retry-after')), json };
}

describe("a caller's unfinished jobs", () => {
  const MAX = 3;
  let bench: WorkerBench;
  let admission: Admission;

  beforeEach(async () => {
    bench = stack.use(new WorkerBench(file));
    const redis = requestRedis(file.url);
    stack.defer(() => redis.disconnect());
    await untilReady(redis, 5_000);
    admission = new Admission(redis, { maxJobsPerCaller: MAX, ttlSeconds: 60 });
  });

  /** As submit does it. */
  async function submitJob(owner: string): Promise<string> {
    const id = newJobId(bench.queueName);
    await admission.admit(as(id, owner));
    await bench.queue.add(id, { ...DATA, owner });
    return id;
  }

  test('are so many at most, whoever else has some', async () => {
    await submitJob('bob');
    for (let n = 0; n < MAX; n++) await submitJob('alice');
    await expect(submitJob('alice')).rejects.toThrow(TooManyJobsError);
    await submitJob('bob');
    await submitJob('a user: named {oddly}\n');
    expect(await file.redis.zcard(unfinishedKey(bench.queueName, 'alice'))).toBe(MAX);
    expect(await file.redis.ttl(unfinishedKey(bench.queueName, 'alice'))).toBeGreaterThan(50);
  });

  test('count no more when they have ended, however', async () => {
    const ids = [];
    for (let n = 0; n < MAX; n++) ids.push(await submitJob('alice'));
    await bench.takeAndVanish(1_000, (job) => job.moveToCompleted({}, 'token-of-the-dead', false));
    await submitJob('alice');
    await expect(submitJob('alice')).rejects.toThrow(TooManyJobsError);
    const waiting = await bench.queue.find(ids[1] as string);
    await bench.queue.cancel(waiting as NonNullable<typeof waiting>);
    await submitJob('alice');
    await expect(submitJob('alice')).rejects.toThrow(TooManyJobsError);
    await file.redis.del(bench.key(ids[2] as string));
    await file.redis.zadd(unfinishedKey(bench.queueName, 'alice'), Date.now() - 61_000, ids[2] as string);
    await submitJob('alice');
  });

  test('count once, also when the answer is lost and they are admitted again', async () => {
    const ids = Array.from({ length: MAX }, () => newJobId(bench.queueName));
    for (const id of [...ids, ...ids]) await admission.admit(as(id));
    await expect(admission.admit(as(newJobId(bench.queueName)))).rejects.toThrow(TooManyJobsError);
  });

  test('count from their admission, so that no two at once are one too many', async () => {
    const admitted = await Promise.allSettled(
      Array.from({ length: 20 }, () => admission.admit(as(newJobId(bench.queueName)))),
    );
    expect(admitted.filter(({ status }) => status === 'fulfilled')).toHaveLength(MAX);
  });

  test('that are too many are answered with 429 and the time that a run takes', async () => {
    const functions = await functionsOn(file.url, bench.queueName, stack, MAX);
    const first = await submit(functions);
    await bench.takeAndVanish(1_000, (job) => job.moveToCompleted({}, 'token-of-the-dead', false));
    await file.redis.hset(bench.key(first.json.job_id), 'processedOn', Date.now() - 42_000);
    for (let n = 0; n < MAX; n++) expect((await submit(functions)).status).toBe(202);
    const refused = await submit(functions);
    expect(refused.json.detail).toEqual([
      { type: 'too_many_jobs', msg: 'The caller has 3 unfinished jobs already' },
    ]);
    expect(refused.status).toBe(429);
    expect([42, 43]).toContain(refused.retryAfter);
    expect(await file.redis.keys(`*:source:${bench.queueName}*`)).toHaveLength(MAX + 1);
    expect((await submit(functions, ipynb(), 'bob')).status).toBe(202);
  });
});

test('a job that waits says when it may start, from its place and the runs before it', async () => {
  const bench = stack.use(new WorkerBench(file));
  const functions = await functionsOn(file.url, bench.queueName, stack);
  const ended = await submit(functions);
  await bench.takeAndVanish(1_000, (job) => job.moveToCompleted({}, 'token-of-the-dead', false));
  const at = Number(await file.redis.hget(bench.key(ended.json.job_id), 'finishedOn'));
  await file.redis.hset(bench.key(ended.json.job_id), 'processedOn', at - 30_000);
  for (let n = 0; n < 2; n++) await submit(functions);
  await bench.takeAndVanish(60_000);
  await bench.takeAndVanish(60_000);
  // Two run, for 30 s each.
  expect((await submit(functions)).retryAfter).toBe(15);
  expect((await submit(functions)).retryAfter).toBe(30);
  const third = await submit(functions);
  expect(third.retryAfter).toBe(45);
  const status = async (id: string) =>
    fetch(`${functions.status.url}/noteburst/v1/notebooks/${id}`, { headers: identity('alice') });
  expect((await status(third.json.job_id)).headers.get('retry-after')).toBe('45');
  for (let n = 0; n < 20; n++) await submit(functions);
  expect((await submit(functions)).retryAfter).toBe(300);
  expect((await status(ended.json.job_id)).headers.get('retry-after')).toBeNull();
});

describe('a Redis that is filling up', () => {
  const LIMIT = 16 * 2 ** 20;
  let server: TestRedisServer;
  let redis: Redis;
  let functions: Functions;

  beforeEach(async () => {
    server = stack.use(await TestRedisServer.start());
    redis = new Redis(server.url);
    stack.defer(() => redis.disconnect());
    functions = await functionsOn(server.url, 'nbexec', stack);
  });

  const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  /** Adds to what is stored until it takes this share of the limit. */
  const fill = async (share: number) => {
    while ((await used()) < LIMIT * share) await redis.append('filling', 'x'.repeat(50_000));
  };
  const sources = async () => (await redis.keys('*:source:*')).length;

  test('gets no more at 80 % of its limit, and is asked once in a second', async () => {
    await redis.config('SET', 'maxmemory', LIMIT);
    await fill(0.5);
    let now = 0;
    const request = requestRedis(server.url);
    stack.defer(() => request.disconnect());
    await untilReady(request, 5_000);
    const options = { maxJobsPerCaller: 10, ttlSeconds: 60 };
    const admission = new Admission(request, options, () => now);
    await admission.admit(as(`nbexec-${'1'.repeat(32)}`));
    await fill(0.81);
    await admission.admit(as(`nbexec-${'2'.repeat(32)}`));
    now += 1_000;
    await expect(admission.admit(as(`nbexec-${'3'.repeat(32)}`))).rejects.toThrow(QueueFullError);
    expect(await redis.zcard(unfinishedKey('nbexec', 'alice'))).toBe(2);
    await redis.del('filling');
    await expect(admission.admit(as(`nbexec-${'4'.repeat(32)}`))).rejects.toThrow(QueueFullError);
    now += 1_000;
    await admission.admit(as(`nbexec-${'4'.repeat(32)}`));
  });

  test('says so with 503, and nothing is written', async () => {
    await redis.config('SET', 'maxmemory', LIMIT);
    await fill(0.81);
    const before = await redis.keys('*');
    const refused = await submit(functions);
    expect(refused.json.detail).toEqual([
      {
        type: 'service_unavailable',
        msg: 'The queue is full, the notebook was not accepted: please submit it again',
      },
    ]);
    expect(refused.status).toBe(503);
    expect(refused.retryAfter).toBeGreaterThan(0);
    expect(await redis.keys('*')).toEqual(before);
  });

  test('refuses a job wholly', async () => {
    const request = requestRedis(server.url);
    stack.defer(() => request.disconnect());
    await untilReady(request, 5_000);
    const queue = new NbexecQueue('nbexec', request, 60, () => undefined);
    stack.defer(() => queue.close());
    const added = (id: string) =>
      vi.waitUntil(() => queue.add(id, DATA).catch(() => undefined), { timeout: 5_000, interval: 20 });
    await redis.config('SET', 'maxmemory', 1);
    const error = await queue.add('nbexec-1', DATA).catch((thrown: unknown) => thrown);
    // Redis 7 refuses the first command and then the whole, Valkey 9 the whole with the reason.
    const { message, previousErrors = [] } = error as Error & { previousErrors?: Error[] };
    expect([message, ...previousErrors.map((previous) => previous.message)].join()).toContain('OOM');
    // Of BullMQ's own.
    expect(await redis.keys('*')).toEqual(['{noteburst}:nbexec:meta']);
    await redis.config('SET', 'maxmemory', 0);
    expect(await added('nbexec-1')).toMatchObject({ startsInSeconds: 1 });
    // As someone may who mends something by hand.
    await redis.script('FLUSH');
    await expect(queue.add('nbexec-2', DATA)).rejects.toThrow('NOSCRIPT');
    expect(await added('nbexec-2')).toHaveProperty('enqueuedAtMs');
  });

  test('that fills up between two looks is a 503 as well, and leaves no notebook behind', async () => {
    expect((await submit(functions)).status).toBe(202);
    // Notebooks that zstd cannot make smaller.
    const text = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString('base64');
    await redis.config('SET', 'maxmemory', (await used()) + 20_000);
    const refused = await submit(functions, ipynb({ cells: [codeCell(`'${text}'`)] }));
    expect(refused.status).toBe(503);
    await redis.config('SET', 'maxmemory', 0);
    expect(await sources()).toBe(1);
    expect(await redis.zcard('{noteburst}:nbexec:prioritized')).toBe(1);
    expect((await submit(functions)).status).toBe(202);
  });
});
