import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Redis } from 'ioredis';
import { eventsKey } from '../../lib/contract/job-keys.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { readEvents } from '../../lib/queue/live-events.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { startSweeper, type SweeperOptions } from '../../lib/queue/sweeper.ts';
import { WorkerBench } from '../support/executor.ts';
import { capturedLog } from '../support/log.ts';
import { putSource } from '../support/put-source.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const HOUR_MS = 3_600_000;
let bench: WorkerBench;
let redis: Redis;
let store: ResultStore;
let log: ReturnType<typeof capturedLog>;

beforeEach(() => {
  bench = new WorkerBench(file);
  redis = workerRedis(file.url);
  store = new ResultStore(redis);
  log = capturedLog();
});
afterEach(async () => {
  redis.disconnect();
  await bench[Symbol.asyncDispose]();
});

/** Sweeps once. */
async function sweep(options: Partial<SweeperOptions> = {}) {
  const stop = new AbortController();
  await file.redis.del(`${KEY_PREFIX}:sweep:${bench.queueName}`);
  const sweeping = startSweeper({
    redis,
    queueName: bench.queueName,
    retentionSeconds: 3_600,
    retentionBytes: 1e9,
    startWithinSeconds: 3_600,
    log: log.log,
    signal: stop.signal,
    ...options,
  });
  await vi.waitUntil(() => log.lines.some((line) => line.includes('queue swept')), { interval: 5 });
  stop.abort();
  await sweeping;
  return JSON.parse(log.lines.find((line) => line.includes('queue swept')) as string) as Record<
    string,
    number
  >;
}

/** A job that ended some time ago, with notebooks of about so many bytes each. */
async function endedJob(agoMs: number, bytes = 100): Promise<string> {
  const id = await bench.add();
  const body = Array.from({ length: bytes }, () => String.fromCharCode(33 + Math.random() * 90)).join('');
  await putSource(file.redis, id, body, 86_400);
  await bench.takeAndVanish(1_000, async (job) => {
    await store.putResult(id, 'attempt', body, 86_400);
    await job.moveToCompleted({ result_id: 'attempt' }, 'token-of-the-dead', false);
  });
  const finishedOn = Date.now() - agoMs;
  await file.redis.hset(bench.key(id), 'finishedOn', finishedOn);
  await file.redis.zadd(bench.key('completed'), finishedOn, id);
  return id;
}

const keysOf = async (id: string) => (await file.redis.keys(`*${id}*`)).length;
const bytesOf = async (id: string) =>
  (await redis.strlen(`${KEY_PREFIX}:source:${id}`)) +
  (await redis.strlen(`${KEY_PREFIX}:result:${id}:attempt`));
const isKept = async (id: string) =>
  (await bench.queue.find(id)) !== undefined &&
  (await store.getSource(id)) !== undefined &&
  (await store.getResult(id, 'attempt')) !== undefined;

describe('ended jobs', () => {
  test('are removed wholly when they are older than the retention, though no other ends', async () => {
    const old = await endedJob(HOUR_MS + 1_000);
    const young = await endedJob(0);
    expect(await sweep()).toMatchObject({ older: 1, beyond: 0, expired: 0 });
    expect(await keysOf(old)).toBe(0);
    expect(await isKept(young)).toBe(true);
    expect(await file.redis.zrange(bench.key('completed'), '0', '-1')).toEqual([young]);
  });

  test('are removed wholly, the oldest first, until their notebooks fit', async () => {
    const ids: string[] = [];
    for (const agoMs of [50_000, 40_000, 30_000, 20_000]) ids.push(await endedJob(agoMs, 10_000));
    const room = (await bytesOf(ids[2] as string)) + (await bytesOf(ids[3] as string));
    expect(await sweep({ retentionBytes: room })).toMatchObject({ older: 0, beyond: 2, bytes: room });
    expect(await Promise.all(ids.map(keysOf))).toEqual([0, 0, 3, 3]);
  });

  test('are found over several pages', async () => {
    const last = await endedJob(1_000, 50);
    const ids = Array.from({ length: 1_200 }, (_, n) => `${bench.queueName}-${n}`);
    const pipeline = file.redis.pipeline();
    for (const [n, id] of ids.entries()) {
      pipeline.hset(bench.key(id), 'finishedOn', Date.now() - 60_000 - n);
      pipeline.zadd(bench.key('completed'), Date.now() - 60_000 - n, id);
      pipeline.set(`${KEY_PREFIX}:source:${id}`, '12345', 'EX', 60);
    }
    await pipeline.exec();
    const own = await bytesOf(last);
    expect(await sweep({ retentionBytes: own + 1_100 * 5 })).toMatchObject({
      beyond: 100,
      bytes: own + 1_100 * 5,
    });
    log.lines.length = 0;
    expect(await sweep({ retentionSeconds: 30 })).toMatchObject({ older: 1_100 });
    expect(await isKept(last)).toBe(true);
  });
});

describe('jobs that wait', () => {
  test('end as expired when it has been too long, without an executor', async () => {
    const late = await bench.add();
    const early = await bench.add();
    await file.redis.hset(bench.key(late), 'timestamp', Date.now() - HOUR_MS - 1_000);
    expect(await sweep()).toMatchObject({ expired: 1 });
    expect(await bench.queue.find(late)).toMatchObject({
      state: 'ended',
      finishedAtMs: expect.any(Number),
      outcome: { error: { code: 'timeout', reason: 'expired' } },
    });
    expect((await readEvents(redis, late, '0-0', 10)).events.map(({ event }) => event)).toEqual([
      { type: 'job_ended', phase: 'failed', success: false, reason: 'expired' },
    ]);
    expect(await file.redis.ttl(eventsKey(late))).toBeGreaterThan(3_000);
    expect(await bench.queue.find(early)).toMatchObject({ state: 'waiting' });
    await bench.worker();
    expect((await bench.runsBegun(1)).job.id).toBe(early);
  });
});

test('jobs that nobody holds are reported', async () => {
  const id = await bench.add();
  await bench.takeAndVanish(1_000);
  await file.redis.del(bench.key(`${id}:lock`));
  await sweep();
  expect(log.lines.find((line) => line.includes('jobs of dead executors'))).toContain(id);
});

test('of several executors one sweeps at a time, and another goes on when it is gone', async () => {
  const stops = [new AbortController(), new AbortController(), new AbortController()];
  const logs = stops.map(() => capturedLog());
  const running = stops.map(({ signal }, n) =>
    startSweeper({
      redis,
      queueName: bench.queueName,
      retentionSeconds: 1,
      retentionBytes: 1,
      startWithinSeconds: 1,
      intervalMs: 100,
      log: (logs[n] as ReturnType<typeof capturedLog>).log,
      signal,
    }),
  );
  const sweeps = () => logs.map(({ lines }) => lines.filter((line) => line.includes('queue swept')).length);
  const total = () => sweeps().reduce((sum, count) => sum + count, 0);
  const begun = performance.now();
  await vi.waitUntil(() => total() >= 5, { timeout: 5_000, interval: 5 });
  expect(performance.now() - begun).toBeGreaterThan(300);
  const first = sweeps().findIndex((count) => count > 0);
  stops[first]?.abort();
  const before = total();
  await vi.waitUntil(() => total() >= before + 2, { timeout: 5_000, interval: 5 });
  for (const stop of stops) stop.abort();
  await Promise.all(running);
});
