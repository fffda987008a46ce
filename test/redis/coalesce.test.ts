import { afterEach, beforeEach, expect, test } from 'vitest';
import { newJobId } from '../../lib/contract/nbexec-job.ts';
import { Admission } from '../../lib/queue/admission.ts';
import { unfinishedKey } from '../../lib/queue/owner-keys.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { ApiClient, printing } from '../support/api-client.ts';
import { WorkerBench } from '../support/executor.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const COALESCE = { coalesce: true };
let stack: AsyncDisposableStack;
let bench: WorkerBench;
let functions: Functions;
let alice: ApiClient;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  bench = stack.use(new WorkerBench(file));
  functions = await functionsOn(file.url, bench.queueName, stack, 3);
  alice = new ApiClient(functions);
});
afterEach(() => stack.disposeAsync());

const jobs = () => file.redis.zcard(bench.key('prioritized'));

test('an identical submission that has not ended is joined, whether it asked for that itself or not', async () => {
  const first = await alice.submit({ timeout: 300, tags: ['a'], priority: 'ci' });
  const joined = await alice.submit({ timeout: '5m', ...COALESCE });
  expect(joined.status).toBe(202);
  expect(joined.json).toEqual(first.json);
  expect(joined.headers.get('location')).toBe(first.headers.get('location'));
  await bench.takeAndVanish(60_000);
  expect((await alice.submit(COALESCE)).json).toMatchObject({
    job_id: first.json.job_id,
    status: 'in_progress',
  });
  expect((await alice.submit()).json.job_id).not.toBe(first.json.job_id);
});

test.each([
  { ipynb: printing('b') },
  { kernel_name: 'other' },
  { timeout: 60 },
  { parameters: { x: 1 } },
  { cell_timeout: 5 },
  { enable_retry: false },
])('what differs in how it runs is not joined: %j', async (other) => {
  const { json } = await alice.submit(COALESCE);
  expect((await alice.submit({ ...other, ...COALESCE })).json.job_id).not.toBe(json.job_id);
  expect(await jobs()).toBe(2);
});

test("nor is another's, one that has ended, or one that is being cancelled", async () => {
  const ids = new Set<string>();
  const submit = async (client: ApiClient) => {
    const { status, json } = await client.submit(COALESCE);
    expect(status).toBe(202);
    ids.add(json.job_id);
    return json.job_id;
  };
  await alice.cancel(await submit(alice));
  const running = await submit(alice);
  await bench.takeAndVanish(60_000);
  expect((await alice.cancel(running)).json['phase']).toBe('cancelling');
  await submit(alice);
  await submit(new ApiClient(functions, 'bob'));
  expect(ids.size).toBe(4);
});

test('many at once make one job', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => alice.submit(COALESCE)));
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
  expect(new Set(answers.map(({ json }) => json.job_id)).size).toBe(1);
  expect(await jobs()).toBe(1);
  expect(await file.redis.keys(`*:source:${bench.queueName}*`)).toHaveLength(1);
});

test('joining is free for a caller who has as many jobs as allowed', async () => {
  const { json } = await alice.submit();
  for (const n of [2, 3]) await alice.submit({ timeout: n });
  expect((await alice.submit(COALESCE)).json.job_id).toBe(json.job_id);
});

test('whoever joins can wait for the end', async () => {
  const { json } = await alice.submit();
  const waiting = alice.submit(COALESCE, { Prefer: 'wait=20' });
  await bench.worker();
  await functions.store.putResult(json.job_id, 'a', 'the result', 60);
  (await bench.runsBegun(1)).end({ result_id: 'a' });
  const waited = await waiting;
  expect(waited.json).toMatchObject({ job_id: json.job_id, ipynb: 'the result' });
  expect(waited.status).toBe(200);
});

test('an idempotency key stands for the job that was joined, also when that has ended', async () => {
  const key = { 'Idempotency-Key': 'once' };
  const { json } = await alice.submit();
  expect((await alice.submit(COALESCE, key)).json.job_id).toBe(json.job_id);
  await alice.cancel(json.job_id);
  expect((await alice.submit(COALESCE, key)).json).toMatchObject({ job_id: json.job_id, status: 'complete' });
});

test('one that broke off before its job is completed as that job, for a minute', async () => {
  const redis = requestRedis(file.url);
  stack.defer(() => redis.disconnect());
  await untilReady(redis, 5_000);
  const { queueName } = bench;
  const admission = new Admission(redis, { maxJobsPerCaller: 9, ttlSeconds: 60 });
  const admit = () =>
    admission.admit({ jobId: newJobId(queueName), owner: 'alice', fingerprint: 'a', coalesce: true });
  const { jobId } = await admit();
  expect(await admit()).toMatchObject({ jobId, exists: false });
  await file.redis.zadd(unfinishedKey(queueName, 'alice'), Date.now() - 61_000, jobId);
  expect((await admit()).jobId).not.toBe(jobId);
});
