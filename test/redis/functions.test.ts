import { Worker } from 'bullmq';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn as onUrl, type Functions } from '../support/functions-on.ts';
import { ipynb } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { TestRedisServer } from '../support/redis-server.ts';

const file = await redisOfFile();
let stack: AsyncDisposableStack;

beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

const functionsOn = (url: string): Promise<Functions> => onUrl(url, file.newQueueName(), stack);

async function submit(functions: Functions) {
  const response = await fetch(`${functions.submit.url}/noteburst/v1/notebooks/`, {
    method: 'POST',
    headers: { ...identity('alice'), 'Content-Type': 'application/json' },
    body: JSON.stringify({ ipynb: ipynb() }),
  });
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown>,
  };
}

async function status(functions: Functions, id: string, user: 'alice' | 'bob' = 'alice') {
  const response = await fetch(`${functions.status.url}/noteburst/v1/notebooks/${id}?source=true`, {
    headers: identity(user),
  });
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown>,
  };
}

describe('a submitted notebook', () => {
  test('can be followed from the queue to its result, by its owner only', async () => {
    const functions = await functionsOn(file.url);
    const accepted = await submit(functions);
    const id = String(accepted.json['job_id']);
    expect(accepted.status).toBe(202);
    expect((await status(functions, id)).json).toEqual({ ...accepted.json, source: ipynb() });
    expect((await status(functions, id, 'bob')).status).toBe(404);

    const connection = workerRedis(file.url);
    stack.defer(() => connection.disconnect());
    const worker = new Worker(functions.queueName, null, { connection, prefix: KEY_PREFIX, autorun: false });
    stack.defer(() => worker.close());
    const job = await worker.getNextJob('token', { block: false });
    expect((await status(functions, id)).json).toMatchObject({ status: 'in_progress', phase: 'leasing' });

    await functions.store.putResult(id, 'token', 'the result', 60);
    await job?.moveToCompleted({ result_id: 'token' }, 'token', false);
    expect((await status(functions, id)).json).toMatchObject({
      status: 'complete',
      phase: 'completed',
      success: true,
      ipynb: 'the result',
      source: ipynb(),
    });
  });

  test('has its source beside it, under a TTL', async () => {
    const functions = await functionsOn(file.url);
    const id = String((await submit(functions)).json['job_id']);
    const ttl = await file.redis.ttl(`${KEY_PREFIX}:source:${id}`);
    expect(ttl).toBeGreaterThan(110);
    expect(ttl).toBeLessThanOrEqual(120);
  });
});

describe('while Redis is away', () => {
  test('nothing is accepted and nothing is said that could be wrong; once it is back, all is as before', async () => {
    const server = stack.use(await TestRedisServer.start());
    const functions = await functionsOn(server.url);
    const before = String((await submit(functions)).json['job_id']);
    await server.kill();

    const refused = await submit(functions);
    expect(refused.json).toEqual({
      detail: [
        {
          type: 'service_unavailable',
          msg: 'The queue is not available, the notebook was not accepted: please submit it again',
        },
      ],
    });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(refused.headers.get('location')).toBeNull();
    expect(refused.status).toBe(503);

    const unknown = await status(functions, before);
    expect(unknown.json).toEqual({
      detail: [{ type: 'service_unavailable', msg: 'The queue is not available, please try again' }],
    });
    expect(unknown.headers.get('retry-after')).toBe('5');
    expect(unknown.status).toBe(503);

    await server.start();
    await untilReady(functions.redis, 10_000);
    expect((await status(functions, before)).json).toMatchObject({ status: 'queued', source: ipynb() });
    const waiting = `${KEY_PREFIX}:${functions.queueName}:prioritized`;
    expect(await functions.redis.zrange(waiting, '0', '-1')).toEqual([before]);
    const after = await submit(functions);
    expect(after.status).toBe(202);
    expect(await functions.redis.zrange(waiting, '0', '-1')).toEqual([before, after.json['job_id']]);
  });

  test('a caller has the answer within a second', async () => {
    const server = stack.use(await TestRedisServer.start());
    const functions = await functionsOn(server.url);
    await server.kill();
    const begun = performance.now();
    expect((await submit(functions)).status).toBe(503);
    expect((await status(functions, `${functions.queueName}-${'a'.repeat(32)}`)).status).toBe(503);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('a command of the request client fails at once, also one that was under way', async () => {
    const server = stack.use(await TestRedisServer.start());
    const redis = requestRedis(server.url);
    redis.on('error', () => undefined);
    stack.defer(() => redis.disconnect());
    await untilReady(redis, 5_000);
    server.freeze();
    const begun = performance.now();
    const underWay = redis.get('key');
    underWay.catch(() => undefined);
    await server.kill();
    await expect(underWay).rejects.toThrow('Reached the max retries per request limit');
    await expect(redis.get('key')).rejects.toThrow("Stream isn't writeable");
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('a client that waits for Redis says how long it has waited', async () => {
    const server = stack.use(await TestRedisServer.start());
    await server.kill();
    const redis = requestRedis(server.url);
    redis.on('error', () => undefined);
    stack.defer(() => redis.disconnect());
    await expect(untilReady(redis, 100)).rejects.toThrow('Redis did not become ready within 100 ms');
    expect(redis.listenerCount('ready')).toBe(0);
  });
});

test('a frozen Redis costs a request its command timeout, and then it is a 503', async () => {
  const server = stack.use(await TestRedisServer.start());
  const functions = await functionsOn(server.url);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  stack.defer(() => void vi.useRealTimers());
  server.freeze();
  const answer = submit(functions);
  // The command's clock is the only one that is set forward, once it has been started.
  await vi.waitUntil(async () => {
    await vi.advanceTimersByTimeAsync(1_000);
    return Promise.race([
      answer.then(() => true),
      new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
    ]);
  });
  expect((await answer).status).toBe(503);
});
