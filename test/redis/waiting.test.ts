import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventsChannel } from '../../lib/contract/job-keys.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { ipynb } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { TestRedisServer } from '../support/redis-server.ts';

/** Callers who wait for a job or follow it: while Redis fails, and when they go. */
const file = await redisOfFile();
let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

const UNAVAILABLE = { detail: [{ type: 'service_unavailable' }] };

function get(functions: Functions, path: string, init: RequestInit & { wait?: number } = {}) {
  const prefer = init.wait === undefined ? {} : { Prefer: `wait=${init.wait}` };
  return fetch(`${functions.status.url}/noteburst/v1/notebooks/${path}`, {
    ...init,
    headers: { ...identity('alice'), ...prefer },
  });
}

function post(functions: Functions, wait?: number) {
  return fetch(`${functions.submit.url}/noteburst/v1/notebooks/`, {
    method: 'POST',
    headers: {
      ...identity('alice'),
      'Content-Type': 'application/json',
      ...(wait === undefined ? {} : { Prefer: `wait=${wait}` }),
    },
    body: JSON.stringify({ ipynb: ipynb() }),
  });
}

async function newJob(functions: Functions): Promise<string> {
  return ((await (await post(functions)).json()) as { job_id: string }).job_id;
}

async function msOf(work: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work;
  return performance.now() - begun;
}

describe('while Redis is away', () => {
  test('who would wait is told so at once: 503 with Retry-After', async () => {
    const server = stack.use(await TestRedisServer.start());
    const functions = await functionsOn(server.url, file.newQueueName(), stack);
    const id = await newJob(functions);
    await server.kill();
    for (const ask of [
      () => get(functions, id, { wait: 20 }),
      () => get(functions, `${id}/events`),
      () => get(functions, id, { method: 'DELETE' }),
      () => post(functions, 20),
    ]) {
      const answer = ask();
      expect(await msOf(answer)).toBeLessThan(1_000);
      const response = await answer;
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
      expect(await response.json()).toMatchObject(UNAVAILABLE);
    }
  });

  test('who waits already has a 503 when the wait is over, and the POST that was accepted its 202', async () => {
    const server = stack.use(await TestRedisServer.start());
    const functions = await functionsOn(server.url, file.newQueueName(), stack);
    const id = await newJob(functions);
    const waiting = get(functions, id, { wait: 2 });
    const posted = post(functions, 2);
    await vi.waitUntil(() => functions.watch.count === 2);
    await vi.waitUntil(async () => (await queued(functions)) === 2);
    await server.kill();
    expect(await msOf(Promise.all([waiting, posted]))).toBeLessThan(2_500);
    expect((await waiting).status).toBe(503);
    expect((await waiting).headers.get('retry-after')).toBe('5');
    expect(await (await waiting).json()).toMatchObject(UNAVAILABLE);
    expect((await posted).status).toBe(202);
    expect(await (await posted).json()).toMatchObject({ status: 'queued' });
  });

  test('who waits goes on waiting over a restart of it, and learns of the end', async () => {
    const server = stack.use(await TestRedisServer.start());
    const functions = await functionsOn(server.url, file.newQueueName(), stack);
    const id = await newJob(functions);
    const waiting = get(functions, id, { wait: 20 });
    await vi.waitUntil(() => functions.watch.count === 1);
    await server.kill();
    await server.start();
    await vi.waitUntil(async () => (await get(functions, id)).status === 200, { timeout: 10_000 });
    expect((await get(functions, id, { method: 'DELETE' })).status).toBe(200);
    expect(await (await waiting).json()).toMatchObject({ phase: 'aborted' });
  });
});

test('a caller who goes leaves nothing behind: no watcher, no subscription, no connection of its own', async () => {
  const functions = await functionsOn(file.url, file.newQueueName(), stack);
  const id = await newJob(functions);
  const leave = new AbortController();
  const [first] = await Promise.all([
    get(functions, `${id}/events`, { signal: leave.signal }),
    get(functions, `${id}/events`, { signal: leave.signal }),
  ]);
  await first?.body?.getReader().read();
  const waiting = get(functions, id, { wait: 20, signal: leave.signal }).catch(() => undefined);
  const channel = eventsChannel(id);
  const subscribed = async () => (await file.redis.pubsub('NUMSUB', channel))[1];
  // All watchers of a process share one connection.
  await vi.waitFor(async () => expect(await subscribed()).toBe(1));
  await vi.waitUntil(() => functions.watch.count === 3);
  leave.abort();
  await waiting;
  await vi.waitFor(() => expect(functions.watch.count).toBe(0));
  await vi.waitFor(async () => expect(await subscribed()).toBe(0));
  // Those of the functions and the test's own; none blocks.
  const clients = ((await file.redis.client('LIST')) as string).split('\n');
  const ours = clients.filter((line) => line.includes(` db=${file.redis.options.db} `));
  expect(ours.filter((line) => /flags=\S*b/.test(line))).toEqual([]);
  expect(ours.length).toBeLessThanOrEqual(3);
});

async function queued({ redis, queueName }: Functions): Promise<number> {
  const key = (name: string) => `${KEY_PREFIX}:${queueName}:${name}`;
  return (await redis.llen(key('wait'))) + (await redis.zcard(key('prioritized')));
}
