import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { untilReady } from '../../lib/queue/redis.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { ipynb } from '../support/notebooks.ts';
import { TestRedisServer } from '../support/redis-server.ts';

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

/** @returns the job's id, or undefined when it was not accepted */
async function submit({ submit: { url } }: Functions): Promise<string | undefined> {
  const headers = { ...identity('alice'), 'Content-Type': 'application/json' };
  const body = JSON.stringify({ ipynb: ipynb() });
  const response = await fetch(`${url}/noteburst/v1/notebooks/`, { method: 'POST', headers, body });
  const { job_id: id } = (await response.json()) as { job_id?: string };
  expect([202, 503]).toContain(response.status);
  return id;
}

test('what was accepted is there when Redis was killed and came back, with appendfsync always', async () => {
  const server = stack.use(await TestRedisServer.start());
  const admin = stack.adopt(new Redis(server.url), (redis) => redis.disconnect());
  admin.on('error', () => undefined);
  await admin.config('SET', 'appendfsync', 'always');
  const functions = await functionsOn(server.url, 'nbexec', stack, 10_000);
  const accepted: string[] = [];
  const over = new AbortController();
  const submitters = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      const id = await submit(functions);
      if (id) accepted.push(id);
    }
  });
  await vi.waitUntil(() => accepted.length > 50, { timeout: 10_000, interval: 1 });
  await server.kill();
  over.abort();
  await Promise.all(submitters);
  await server.start();
  await untilReady(functions.redis, 10_000);
  const statuses = accepted.map(async (id) => {
    const url = `${functions.status.url}/noteburst/v1/notebooks/${id}?source=true`;
    return (await fetch(url, { headers: identity('alice') })).json();
  });
  for (const job of await Promise.all(statuses)) {
    expect(job).toMatchObject({ status: 'queued', source: ipynb() });
  }
});
