import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cancelledOutcome } from '../../lib/queue/verdict.ts';
import { startSweeper } from '../../lib/queue/sweeper.ts';
import { WorkerBench } from '../support/executor.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn } from '../support/functions-on.ts';
import { leftInRedis } from '../support/leftovers.ts';
import { silentLog } from '../support/log.ts';
import { ipynb } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

test('every key of a job, from its submission to its removal, is in one slot, and nothing stays for ever', async () => {
  const bench = stack.use(new WorkerBench(file));
  const { queueName } = bench;
  const functions = await functionsOn(file.url, queueName, stack);
  const seen = new Set<string>();
  const look = async () => (await file.redis.keys('*')).forEach((key) => seen.add(key));
  const url = `${functions.submit.url}/noteburst/v1/notebooks/`;
  const headers = { ...identity('alice'), 'Content-Type': 'application/json' };
  let submitted = 0;
  const submit = async () => {
    const body = JSON.stringify({ ipynb: ipynb() });
    const once = { ...headers, 'Idempotency-Key': `${++submitted}` };
    const response = await fetch(url, { method: 'POST', headers: once, body });
    return ((await response.json()) as { job_id: string }).job_id;
  };
  const [runs, waits, isCancelled] = [await submit(), await submit(), await submit()];
  await look();
  await bench.worker({ concurrency: 1 });
  const { job, end } = await bench.runsBegun(1);
  expect(job.id).toBe(runs);
  await job.markFirstCellStarted();
  job.reportProgress({ cells_done: 0, cells_total: 1 });
  job.tell({ type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 1 });
  await bench.jobThat(runs, ({ progress }) => progress !== undefined);
  await look();
  const status = (id: string) => `${functions.status.url}/noteburst/v1/notebooks/${id}`;
  expect((await fetch(status(isCancelled), { method: 'DELETE', headers: identity('alice') })).status).toBe(
    200,
  );
  await functions.store.putResult(runs, job.attemptId, ipynb(), 60);
  end({ result_id: job.attemptId });
  await bench.ended(runs);
  (await bench.runsBegun(2)).end(cancelledOutcome());
  await bench.ended(waits);
  await look();
  expect(await leftInRedis(file.redis)).toEqual([]);

  const stop = new AbortController();
  const sweeping = startSweeper({
    redis: file.redis,
    queueName,
    retentionSeconds: 0.001,
    retentionBytes: 0,
    startWithinSeconds: 60,
    log: silentLog(),
    signal: stop.signal,
  });
  while ((await file.redis.zcard(bench.key('completed'))) > 0) await sleep(5);
  await look();
  stop.abort();
  await sweeping;
  const ofTheJobs = (await file.redis.keys('*')).filter((key) => key.includes(`${queueName}-`));
  expect(ofTheJobs.filter((key) => !key.includes(':verdict:'))).toEqual([]);
  expect(await leftInRedis(file.redis)).toEqual([]);
  expect([...seen].filter((key) => !key.startsWith('{noteburst}:'))).toEqual([]);
  // It has seen what it is about.
  for (const part of [
    'source',
    'result',
    'unfinished',
    'own',
    'inflight',
    'idempotency',
    'flows',
    'sweep',
    'verdict',
    'events',
    `${queueName}:`,
  ]) {
    expect(
      [...seen].some((key) => key.startsWith(`{noteburst}:${part}`)),
      part,
    ).toBe(true);
  }
});

test('what would stay for ever is told', async () => {
  await file.redis.flushdb();
  const queueName = file.newQueueName();
  const strangers = [
    `{noteburst}:${queueName}:prioritized`,
    '{noteburst}:source:x',
    'outside',
    '{noteburst}:lease:bot-1',
  ];
  await file.redis.zadd(strangers[0] as string, 1, 'job');
  await file.redis.set(strangers[1] as string, 'x');
  await file.redis.set(strangers[2] as string, 'x', 'EX', 60);
  await file.redis.set(strangers[3] as string, 'x', 'EX', 60);
  await file.redis.set('{noteburst}:epoch:bot-1', '1');
  await file.redis.set('{noteburst}:source:y', 'x', 'EX', 60);
  expect(await leftInRedis(file.redis)).toEqual(strangers.toSorted());
  await file.redis.del(...strangers);
});
