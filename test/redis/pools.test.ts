import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let stack: AsyncDisposableStack;
let functions: Functions;
let alice: ApiClient;
let weekly: string;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  weekly = file.newQueueName();
  const pool = { queueName: weekly, image: 'latest-weekly', size: 'Small' } as const;
  functions = await functionsOn(file.url, file.newQueueName(), stack, 3, [pool]);
  alice = new ApiClient(functions);
});
afterEach(() => stack.disposeAsync());

const waiting = (queueName: string) => file.redis.zcard(`{noteburst}:${queueName}:prioritized`);

test('a job is put on the queue of its pool, and read, listed and cancelled there', async () => {
  const usual = (await alice.submit()).json;
  const other = (await alice.submit({ image: 'latest-weekly' })).json;
  expect(await Promise.all([functions.queueName, weekly].map(waiting))).toEqual([1, 1]);
  expect(other.job_id.startsWith(`${weekly}-`)).toBe(true);
  expect((await alice.list()).json.jobs).toMatchObject([{ job_id: other.job_id }, { job_id: usual.job_id }]);
  expect((await alice.cancel(other.job_id)).status).toBe(200);
  expect(await Promise.all([functions.queueName, weekly].map(waiting))).toEqual([1, 0]);
});

test('an idempotency key is one in all pools', async () => {
  const once = { 'Idempotency-Key': 'once' };
  const first = (await alice.submit({ size: 'Small' }, once)).json;
  expect((await alice.submit({ image: 'latest-weekly' }, once)).json.job_id).toBe(first.job_id);
  expect((await alice.submit({}, once)).status).toBe(422);
  expect(await Promise.all([functions.queueName, weekly].map(waiting))).toEqual([0, 1]);
});

test('what a caller may have unfinished is counted in each pool', async () => {
  for (let n = 0; n < 3; n++) await alice.submit();
  expect((await alice.submit()).status).toBe(429);
  expect((await alice.submit({ image: 'latest-weekly' })).status).toBe(202);
});
