import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { POOL_BOTS_KEY } from '../../lib/contract/job-keys.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakePlatform } from '../support/fake-platform.ts';
import { functionsOn } from '../support/functions-on.ts';
import { ExecutorBench } from '../support/in-process-executor.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let platform: FakePlatform;
let stack: AsyncDisposableStack;
beforeAll(async () => {
  platform = await FakePlatform.start();
});
afterAll(() => platform[Symbol.asyncDispose]());
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

test('security: pool bots may not submit, so that no notebook submits itself', async () => {
  const functions = await functionsOn(file.url, file.newQueueName(), stack);
  const alice = new ApiClient(functions);
  const before = await alice.submit({}, { 'Idempotency-Key': 'before' });
  expect(before.status).toBe(202);
  await file.redis.sadd(POOL_BOTS_KEY, 'alice');
  stack.defer(() => void file.redis.del(POOL_BOTS_KEY));
  for (const headers of [{}, { 'Idempotency-Key': 'before' }, { 'Idempotency-Key': 'after' }]) {
    const { status, json } = await alice.submit({ coalesce: true }, headers);
    expect(json.detail).toEqual([
      { type: 'pool_bot', msg: 'Notebooks that run here may not submit notebooks' },
    ]);
    expect(status).toBe(403);
  }
  expect(await file.redis.zcard(`{noteburst}:${functions.queueName}:prioritized`)).toBe(1);
  expect((await new ApiClient(functions, 'bob').submit()).status).toBe(202);
});

test('an executor says whose lab it uses before a notebook runs there, and for good', async () => {
  const bench = stack.use(new ExecutorBench(platform, file));
  const id = await bench.submit("print('a')");
  const { executor, ended, until } = await bench.executor();
  await until('ready');
  expect(await file.redis.smembers(POOL_BOTS_KEY)).toContain(bench.username);
  executor.requestStop();
  await ended;
  expect(await bench.job(id)).toBeDefined();
  expect(await file.redis.smembers(POOL_BOTS_KEY)).toContain(bench.username);
});
