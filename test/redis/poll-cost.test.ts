import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn } from '../support/functions-on.ts';
import { ipynb } from '../support/notebooks.ts';
import { TestRedisServer } from '../support/redis-server.ts';

test('a poll of an ended job that its caller knows costs Redis one command', async () => {
  await using stack = new AsyncDisposableStack();
  // One of its own: a client that begins to monitor may trip over others' commands.
  const { url } = stack.use(await TestRedisServer.start());
  const { submit, status, redis, queueName } = await functionsOn(url, 'poll-cost', stack);
  const headers = { ...identity('alice'), 'Content-Type': 'application/json' };
  const body = JSON.stringify({ ipynb: ipynb() });
  const accepted = await fetch(`${submit.url}/noteburst/v1/notebooks/`, { method: 'POST', headers, body });
  const { job_id: id } = (await accepted.json()) as { job_id: string };
  const connection = workerRedis(url);
  stack.defer(() => connection.disconnect());
  const worker = new Worker(queueName, null, { connection, prefix: KEY_PREFIX, autorun: false });
  stack.defer(() => worker.close());
  const job = await worker.getNextJob('token', { block: false });
  await job?.moveToCompleted({}, 'token', false);

  const poll = (etag = '') =>
    fetch(`${status.url}/noteburst/v1/notebooks/${id}`, { headers: { ...headers, 'If-None-Match': etag } });
  const first = await poll();
  expect(first.status).toBe(200);
  const known = first.headers.get('etag') ?? '';
  const commands: string[][] = [];
  const admin = new Redis(url);
  stack.defer(() => admin.disconnect());
  const monitor = await admin.monitor();
  stack.defer(() => monitor.disconnect());
  const address = / addr=(\S+)/.exec(await redis.client('INFO'))?.[1];
  monitor.on('monitor', (_, args: string[], source: string) => source === address && commands.push(args));
  expect((await poll(known)).status).toBe(304);
  // Comes behind them, so that all before it have been seen.
  await redis.echo('end');
  await expect.poll(() => commands.at(-1)).toEqual(['echo', 'end']);
  expect(commands.slice(0, -1)).toEqual([['hgetall', `${KEY_PREFIX}:${queueName}:${id}`]]);
});
