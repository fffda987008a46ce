import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { targetKey, untoldKey } from '../../lib/contract/job-keys.ts';
import { readDeliveries } from '../../lib/queue/callbacks.ts';
import { expireWaiting, PAGE } from '../../lib/queue/expiry.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { removeOlder } from '../../lib/queue/retention.ts';
import { ApiClient } from '../support/api-client.ts';
import { functionsOn } from '../support/functions-on.ts';
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

test('submissions of which one is joined or repeated tell once, and another place is another job', async () => {
  await using stack = new AsyncDisposableStack();
  const alice = new ApiClient(await functionsOn(file.url, bench.jobs.queueName, stack));
  const ids: string[] = [];
  const submit = async (callback: object | undefined, headers: Record<string, string> = {}) => {
    const { status, json } = await alice.submit({ callback, coalesce: true }, headers);
    ids.push(json.job_id);
    return status;
  };
  const key = { 'Idempotency-Key': bench.jobs.queueName };
  for (const headers of [key, key, {}]) expect(await submit(CALLBACK, headers)).toBe(202);
  const elsewhere = { ...CALLBACK, url: 'https://elsewhere.example.org/' };
  expect(await submit(elsewhere, key)).toBe(422);
  expect(await submit(elsewhere)).toBe(202);
  expect(await submit(undefined)).toBe(202);
  const [first = '', repeated, joined, , other = '', silent = ''] = ids;
  expect([repeated, joined]).toEqual([first, first]);
  expect(new Set([first, other, silent]).size).toBe(3);
  for (const id of [first, other, silent]) await alice.cancel(id);
  await bench.courier();
  await bench.delivery(first, 'delivered');
  await bench.delivery(other, 'delivered');
  expect(bench.sent.map(({ url }) => url).toSorted()).toEqual([elsewhere.url, CALLBACK.url]);
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

test('many jobs that have not ended, or cannot be read, keep none from being told', async () => {
  // More than are looked at together.
  const add = async () => {
    const ids: string[] = [];
    while (ids.length < PAGE + 5) ids.push(await bench.add());
    return ids;
  };
  const [broken, unfinished] = [await add(), await add()];
  const ended = await bench.add();
  for (const id of [...broken, ended]) await cancel(id);
  for (const id of broken) await redis.hset(bench.jobs.key(id), 'data', '{"version":99}');
  await bench.courier();
  await bench.delivery(ended, 'delivered');
  const failed = bench.lines.filter((line) => line.includes('end of a job not handed over'));
  for (const id of broken) expect(failed.some((line) => line.includes(id))).toBe(true);
  expect(new Set(await untold())).toEqual(new Set([...unfinished, ...broken]));
});

test('a job that cannot be read is tried for an hour, then given up, so that no courier is kept for it', async () => {
  const id = await bench.add();
  await cancel(id);
  await redis.hset(bench.jobs.key(id), 'data', '{"version":99}');
  await bench.courier();
  const isTried = () => bench.lines.some((line) => line.includes('end of a job not handed over'));
  await vi.waitUntil(isTried, { timeout: 10_000 });
  const now = performance.now.bind(performance);
  const later = vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
  await allTold().finally(() => later.mockRestore());
  expect((await readDeliveries(redis, [id])).get(id)).toMatchObject({ state: 'failed', attempts: 0 });
  expect(await redis.exists(targetKey(id))).toBe(0);
  expect((await bench.metrics.untold.get()).values[0]?.value).toBe(1);
  expect(bench.lines.filter((line) => line.includes('given up'))).toHaveLength(1);
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
