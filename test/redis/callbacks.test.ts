import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliveryKey, targetKey, untoldKey } from '../../lib/contract/job-keys.ts';
import { expireWaiting } from '../../lib/queue/expiry.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { removeOlder } from '../../lib/queue/retention.ts';
import { API_URL } from '../support/function-server.ts';
import { CALLBACK, CourierBench } from '../support/courier.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const { redis } = file;
let bench: CourierBench;
beforeEach(() => {
  bench = new CourierBench(file);
});
afterEach(() => bench[Symbol.asyncDispose]());

const never = new AbortController().signal;
const untold = () => redis.zrange(untoldKey(bench.courierQueue), '0', '-1');
const find = async (id: string) => (await bench.jobs.queue.find(id)) as JobSnapshot;
const cancel = async (id: string) => bench.jobs.queue.cancel(await find(id));
/** Everything that was noted has been looked at, and there is nothing left to hand over. */
const allTold = () => vi.waitUntil(async () => (await untold()).length === 0, { timeout: 10_000 });

describe('the end of a job is told once, and not before', () => {
  test('when its executor commits it', async () => {
    await bench.courier();
    const id = await bench.add();
    await bench.jobs.worker();
    const { end } = await bench.jobs.runsBegun(1);
    // A look or two of the courier.
    const waits = vi.waitUntil(() => bench.sent.length > 0, { timeout: 1_500 });
    await expect(waits).rejects.toThrow('Timed out');
    expect((await find(id)).delivery).toBeUndefined();
    end({ ipynb_error: { name: 'ValueError', message: 'no' } });
    const { url, message, raw } = await bench.until(1);
    expect(url).toBe(CALLBACK.url);
    const job = await find(id);
    expect(message).toMatchObject({
      type: 'job.completed',
      timestamp: new Date(job.finishedAtMs as number).toISOString(),
      data: { job_id: id, self_url: `${API_URL}/notebooks/${id}`, status: 'complete', phase: 'completed' },
    });
    expect(message.data).toMatchObject({ success: true, ipynb_error: { name: 'ValueError', message: 'no' } });
    expect(message.data).not.toHaveProperty('callback');
    expect(message.data).not.toHaveProperty('ipynb');
    expect(raw).not.toContain('canary');
    await allTold();
    expect(await bench.delivery(id, 'delivered')).toEqual({
      state: 'delivered',
      attempts: 1,
      last_attempt_time: expect.stringMatching(/Z$/),
      last_status: 204,
    });
    expect(bench.sent).toHaveLength(1);
  });

  test('when it is cancelled while it waits, and nobody is alive', async () => {
    const id = await bench.add();
    await cancel(id);
    await bench.courier();
    const { message } = await bench.until(1);
    expect(message).toMatchObject({ type: 'job.aborted', data: { job_id: id, phase: 'aborted' } });
  });

  test('when it expires', async () => {
    const id = await bench.add();
    await redis.hset(bench.jobs.key(id), 'timestamp', Date.now() - 10_000);
    expect(await expireWaiting(redis, bench.jobs.queueName, 5, never)).toBe(1);
    await bench.courier();
    const { message } = await bench.until(1);
    expect(message).toMatchObject({
      type: 'job.failed',
      data: { job_id: id, error: { reason: 'expired' } },
    });
  });

  test('when its executors are lost', async () => {
    const id = await bench.add();
    await redis.hset(bench.jobs.key(id), 'stc', 5);
    await bench.courier();
    await bench.jobs.worker();
    const { message } = await bench.until(1);
    expect(message.data).toMatchObject({ job_id: id, error: { reason: 'executor_lost' } });
  });

  test('also with several couriers, and when one died between its queue and the list', async () => {
    const id = await bench.add();
    await cancel(id);
    await Promise.all([bench.courier(), bench.courier(), bench.courier()]);
    await bench.delivery(id, 'delivered');
    // As if it had been handed over, and nobody knew: while the courier's job is kept, and later.
    await redis.zadd(untoldKey(bench.courierQueue), 1, id);
    await allTold();
    await redis.del(`{noteburst}:${bench.courierQueue}:callback-${id}`);
    await redis.zadd(untoldKey(bench.courierQueue), 1, id);
    await allTold();
    const other = await bench.add();
    await cancel(other);
    await bench.delivery(other, 'delivered');
    expect(bench.sent.map(({ id }) => id)).toEqual([`msg_${id}`, `msg_${other}`]);
  });
});

test('an end that was not asked for is not told', async () => {
  await bench.courier();
  const skipped = await bench.add({ events: ['job.completed', 'job.failed'] });
  const told = await bench.add({ events: ['job.aborted'] });
  for (const id of [skipped, told]) await cancel(id);
  await bench.delivery(told, 'delivered');
  expect(await bench.delivery(skipped, 'skipped')).toEqual({ state: 'skipped', attempts: 0 });
  expect(await redis.exists(targetKey(skipped))).toBe(0);
  expect(bench.sent).toHaveLength(1);
});

test('many jobs that have not ended keep none that has from being told, nor does one that cannot be read', async () => {
  const unfinished: string[] = [];
  while (unfinished.length < 250) unfinished.push(await bench.add());
  const broken = await bench.add();
  const ended = await bench.add();
  for (const id of [broken, ended]) await cancel(id);
  await redis.hset(bench.jobs.key(broken), 'data', '{"version":99}');
  await bench.courier();
  await bench.delivery(ended, 'delivered');
  expect(
    bench.lines.some((line) => line.includes('end of a job not handed over') && line.includes(broken)),
  ).toBe(true);
  expect(new Set(await untold())).toEqual(new Set([...unfinished, broken]));
});

test('a job that was removed before anybody looked is told of in the log, and forgotten', async () => {
  const id = await bench.add();
  await cancel(id);
  expect(await removeOlder(redis, bench.jobs.queueName, -1, never)).toBe(1);
  await bench.courier();
  await allTold();
  expect(bench.lines.some((line) => line.includes('job removed before its end was told'))).toBe(true);
  expect((await bench.metrics.untold.get()).values[0]?.value).toBe(1);
  expect(bench.sent).toEqual([]);
});

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
    expect([await bench.counted('retried'), await bench.counted('done')]).toEqual([3, 1]);
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
    expect(await bench.counted('failed')).toBe(1);
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
  bench.answer = () => new Promise(() => undefined);
  const dead = await bench.courier({ lockMs: 300 });
  await bench.until(1);
  // It renews the lock no more.
  await dead.close(1);
  await redis.del(`{noteburst}:${bench.courierQueue}:callback-${id}:lock`);
  bench.answer = async () => ({ status: 204, retryAfter: undefined });
  await bench.courier({ lockMs: 300 });
  expect(await bench.delivery(id, 'delivered')).toMatchObject({ attempts: 2 });
  expect(bench.sent.map(({ id }) => id)).toEqual([`msg_${id}`, `msg_${id}`]);
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
