import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliveryKey, targetKey, untoldKey } from '../../lib/contract/job-keys.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { removeOlder } from '../../lib/queue/retention.ts';
import { CALLBACK, CourierBench } from '../support/courier.ts';
import { redisOfFile } from '../support/redis.ts';
import { TestRedisServer } from '../support/redis-server.ts';

const file = await redisOfFile();
const { redis } = file;
let bench: CourierBench;
beforeEach(() => {
  bench = new CourierBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

const never = new AbortController().signal;
const find = async (id: string) => (await bench.jobs.queue.find(id)) as JobSnapshot;
const cancel = async (id: string) => bench.jobs.queue.cancel(await find(id));
describe('a message that is not taken', () => {
  test('is sent again, the same with the same id, until it is', async () => {
    bench.answer = async (attempt) => ({ status: attempt < 4 ? 503 : 200, retryAfter: undefined });
    const id = await bench.add();
    await cancel(id);
    await bench.courier();
    const delivery = await bench.delivery(id, 'delivered');
    expect(delivery).toMatchObject({ attempts: 4, last_status: 200 });
    expect(delivery).not.toHaveProperty('last_error');
    expect(new Set(bench.sent.map(({ id, raw }) => id + raw)).size).toBe(1);
    expect(bench.sent).toHaveLength(4);
    await expect
      .poll(async () => [await bench.counted('retried'), await bench.counted('done')], { timeout: 5_000 })
      .toEqual([3, 1]);
  });

  test('shows why, and when the receiver wants it again', async () => {
    bench.answer = async () => ({ status: 429, retryAfter: '1000' });
    const id = await bench.add();
    await cancel(id);
    await bench.courier();
    expect(await bench.delivery(id, 'delivering')).toMatchObject({
      attempts: 1,
      last_status: 429,
      last_error: 'The receiver answered 429',
    });
    const [, due] = await vi.waitUntil(async () => {
      const delayed = await redis.zrange(
        `{noteburst}:${bench.courierQueue}:delayed`,
        '0',
        '-1',
        'WITHSCORES',
      );
      return delayed.length > 0 && delayed;
    });
    // BullMQ keeps the time in the upper bits.
    expect(Number(due) / 4_096 - Date.now()).toBeGreaterThan(990_000);
  });

  test('is given up when the receiver wants no more', async () => {
    bench.answer = async () => ({ status: 410, retryAfter: undefined });
    const id = await bench.add();
    await cancel(id);
    await bench.courier();
    expect(await bench.delivery(id, 'failed')).toMatchObject({ attempts: 1, last_status: 410 });
    // Behind what is written on the job.
    await expect.poll(() => bench.counted('failed'), { timeout: 5_000 }).toBe(1);
    expect(await redis.exists(targetKey(id))).toBe(0);
  });

  test('is given up after a last attempt', async () => {
    bench.answer = () => Promise.reject(Object.assign(new Error('canary'), { code: 'ECONNREFUSED' }));
    const id = await bench.add();
    await cancel(id);
    await bench.courier({ firstRetryMs: 0.1 });
    expect(await bench.delivery(id, 'failed')).toMatchObject({
      attempts: 15,
      last_error: 'The receiver could not be reached (ECONNREFUSED)',
    });
    expect(bench.sent).toHaveLength(15);
    expect(bench.lines.join('')).not.toContain('canary');
  });
});

test('what a courier was sending when it died is sent by the next, with the same id', async () => {
  const id = await bench.add();
  await cancel(id);
  let wakeUp: ((late: Error) => void) | undefined;
  bench.answer = () => new Promise((_, reject) => (wakeUp = reject));
  await bench.courier({ lockMs: 300 });
  await bench.until(1);
  await redis.del(`{noteburst}:${bench.courierQueue}:callback-${id}:lock`);
  bench.answer = async () => ({ status: 204, retryAfter: undefined });
  const told = (line: string) =>
    vi.waitUntil(() => bench.lines.join('').includes(line), { timeout: 5_000, interval: 5 });
  await told('courier job lost');
  await bench.courier({ lockMs: 300 });
  const delivery = await bench.delivery(id, 'delivered');
  expect(delivery).toMatchObject({ attempts: 2 });
  expect(bench.sent.map(({ id }) => id)).toEqual([`msg_${id}`, `msg_${id}`]);
  // The first was not dead, but stood still: its failure changes nothing any more.
  wakeUp?.(new Error('late'));
  await told('lost courier job ended');
  expect(await bench.counted('retried')).toBe(0);
  expect((await find(id)).delivery).toEqual(delivery);
});

test('what was delivered by a courier that died before the queue heard of it is not sent again', async () => {
  const id = await bench.add();
  await cancel(id);
  await bench.courier();
  await bench.delivery(id, 'delivered');
  const done = (count: number) =>
    vi.waitUntil(async () => (await bench.counted('done')) === count, { timeout: 5_000, interval: 5 });
  await done(1);
  const [queue, job] = [`{noteburst}:${bench.courierQueue}`, `callback-${id}`];
  await vi.waitUntil(async () => (await redis.zscore(`${queue}:completed`, job)) !== null);
  const again = redis.multi().zrem(`${queue}:completed`, job).hdel(`${queue}:${job}`, 'finishedOn');
  await again.lpush(`${queue}:wait`, job).zadd(`${queue}:marker`, 0, '0').exec();
  await done(2);
  expect(bench.sent).toHaveLength(1);
});

test('neither the secret nor the query is kept or logged beyond the delivery', async () => {
  const id = await bench.add();
  expect(await redis.get(targetKey(id))).toContain(CALLBACK.secret);
  expect(await redis.ttl(targetKey(id))).toBeGreaterThan(60);
  expect(await redis.ttl(untoldKey(bench.courierQueue))).toBeGreaterThan(60);
  await bench.courier();
  await cancel(id);
  await bench.delivery(id, 'delivered');
  expect(await redis.ttl(deliveryKey(id))).toBeGreaterThan(0);
  const dump = await Promise.all(
    (await redis.keys(`*${id}*`)).map(async (key) => {
      const type = await redis.type(key);
      if (type === 'string') return redis.get(key);
      if (type === 'hash') return JSON.stringify(await redis.hgetall(key));
      if (type === 'stream') return JSON.stringify(await redis.xrange(key, '-', '+'));
      return '';
    }),
  );
  const kept = dump.join('') + bench.lines.join('');
  for (const secret of [CALLBACK.secret, CALLBACK.secret.slice(6), 'query-canary'])
    expect(kept).not.toContain(secret);
  await removeOlder(redis, bench.jobs.queueName, -1, never);
  expect(await redis.exists(deliveryKey(id))).toBe(0);
});

test('nothing is lost while Redis is away', async () => {
  const server = await TestRedisServer.start();
  const admin = new Redis(server.url).on('error', () => undefined);
  const other = new CourierBench({ ...file, url: server.url, redis: admin });
  try {
    const [noted, sending] = [await other.add(), await other.add()];
    let answered = () => {};
    other.answer = () =>
      new Promise((resolve) => (answered = () => resolve({ status: 204, retryAfter: undefined })));
    await other.jobs.queue.cancel((await other.jobs.queue.find(sending)) as JobSnapshot);
    await other.courier();
    await other.until(1);
    await server.kill();
    answered();
    other.answer = async () => ({ status: 204, retryAfter: undefined });
    await server.start();
    // Each client comes back in its own time.
    await vi.waitUntil(() => other.jobs.queue.find(noted).catch(() => false), { timeout: 10_000 });
    await vi.waitUntil(() => admin.status === 'ready', { timeout: 10_000 });
    await other.delivery(sending, 'delivered');
    await other.jobs.queue.cancel((await other.jobs.queue.find(noted)) as JobSnapshot);
    await other.delivery(noted, 'delivered');
    expect(new Set(other.sent.map(({ id }) => id))).toEqual(new Set([`msg_${sending}`, `msg_${noted}`]));
  } finally {
    await other[Symbol.asyncDispose]();
    admin.disconnect();
    await server[Symbol.asyncDispose]();
  }
});
