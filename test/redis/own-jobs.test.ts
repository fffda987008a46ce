import { afterEach, beforeEach, expect, test } from 'vitest';
import { newJobId, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { Admission } from '../../lib/queue/admission.ts';
import { MAX_OWN_JOBS } from '../../lib/queue/own-jobs.ts';
import { ownJobsKey } from '../../lib/queue/owner-keys.ts';
import { ApiClient } from '../support/api-client.ts';
import { WorkerBench } from '../support/executor.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { redisOfFile } from '../support/redis.ts';
import { TestRedisServer } from '../support/redis-server.ts';
import { redisRoundTrips } from '../../bench/redis-round-trips.ts';

const file = await redisOfFile();
let stack: AsyncDisposableStack;
let bench: WorkerBench;
let functions: Functions;
let alice: ApiClient;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  bench = stack.use(new WorkerBench(file));
  functions = await functionsOn(file.url, bench.queueName, stack);
  alice = new ApiClient(functions);
});
afterEach(() => stack.disposeAsync());

const idsOf = (answer: { json: { jobs: { job_id: string }[] } }) =>
  answer.json.jobs.map(({ job_id }) => job_id);

async function submitted(count: number): Promise<string[]> {
  const ids = [];
  for (let n = 0; n < count; n++) ids.push((await alice.submit()).json.job_id);
  return ids;
}

test("a caller's jobs are listed newest first, as each is on its own, and nobody else's", async () => {
  const bob = new ApiClient(functions, 'bob');
  expect((await alice.list()).json).toEqual({ jobs: [] });
  const [ended, running] = await submitted(2);
  await bob.submit();
  const { json: tagged } = await alice.submit({ tags: ['nightly', 'v2'] });
  await bench.takeAndVanish(60_000, async (job) => {
    await functions.store.putResult(String(job.id), 'a', 'the result', 60);
    await job.moveToCompleted({ result_id: 'a' }, 'token-of-the-dead', false);
  });
  await bench.takeAndVanish(60_000);
  await bench.takeAndVanish(60_000);
  const { status, json, headers } = await alice.list();
  expect(status).toBe(200);
  expect(json.jobs.map(({ job_id, status: is, phase }) => [job_id, is, phase])).toEqual([
    [tagged.job_id, 'queued', 'queued'],
    [running, 'in_progress', 'leasing'],
    [ended, 'complete', 'completed'],
  ]);
  expect(json.jobs[0]).toEqual({ ...tagged, tags: ['nightly', 'v2'] });
  expect(json.jobs[2]).toMatchObject({ success: true, finish_time: expect.any(String), attempts: 1 });
  expect(JSON.stringify(json)).not.toContain('the result');
  expect(json).not.toHaveProperty('next_cursor');
  expect(headers.get('link')).toBeNull();
  expect((await bob.list()).json.jobs).toHaveLength(1);
  await alice.cancel(String(running));
  expect((await alice.list()).json.jobs[1]).toMatchObject({ status: 'in_progress', phase: 'cancelling' });
});

test('pages follow one another without a gap or a job twice, also of jobs of one millisecond', async () => {
  const ids = await submitted(7);
  const key = ownJobsKey(bench.queueName, 'alice');
  for (const id of ids.slice(2, 6)) await file.redis.zadd(key, 1_000, id);
  const all = idsOf(await alice.list());
  expect(all.toSorted()).toEqual(ids.toSorted());
  const seen: string[] = [];
  let url: string | undefined = '?limit=2';
  for (let pages = 0; url !== undefined; pages++) {
    const answer = await alice.list(url);
    seen.push(...idsOf(answer));
    const link = /^<.*\/noteburst\/v1\/notebooks\/(\?[^>]+)>; rel="next"$/.exec(
      answer.headers.get('link') ?? '',
    );
    url = link?.[1];
    const cursor = answer.json['next_cursor'] as string | undefined;
    expect(url).toBe(cursor && `?limit=2&cursor=${cursor}`);
    // What comes meanwhile is before the first page.
    if (pages === 0) await alice.submit();
    expect(pages).toBeLessThan(4);
  }
  expect(seen).toEqual(all);
});

test('jobs that are there no more are left out, and taken off the list', async () => {
  const [oldest, removed, overdue, newest] = await submitted(4);
  await file.redis.del(bench.key(String(removed)));
  await file.redis.hset(bench.key(String(overdue)), 'finishedOn', Date.now() - 61_000);
  expect(idsOf(await alice.list('?limit=1'))).toEqual([newest]);
  expect(idsOf(await alice.list())).toEqual([newest, oldest]);
  const listed = await file.redis.zrange(ownJobsKey(bench.queueName, 'alice'), '0', '-1');
  expect(listed).toEqual([oldest, overdue, newest]);
});

test('the list is bounded in length and time', async () => {
  const key = ownJobsKey(bench.queueName, 'alice');
  for (let n = 0; n < MAX_OWN_JOBS; n++) await file.redis.zadd(key, n, `job-${n}`);
  const [id] = await submitted(1);
  expect(await file.redis.zcard(key)).toBe(MAX_OWN_JOBS);
  expect(await file.redis.zrange(key, '0', '0')).toEqual(['job-1']);
  expect(await file.redis.ttl(key)).toBeGreaterThan(86_400);
  expect(idsOf(await alice.list())).toEqual([id]);
  expect(await file.redis.zcard(key)).toBe(1);
});

test('a job that was admitted and never added is not listed', async () => {
  const { queueName } = bench;
  const admission = new Admission(functions.redis, { maxJobsPerCaller: 9, ttlSeconds: 60 });
  await admission.admit({ jobId: newJobId(queueName), owner: 'alice', fingerprint: 'a' });
  expect((await alice.list()).json).toEqual({ jobs: [] });
});

test('a job that is added again keeps its place', async () => {
  const data: NbexecJobData = {
    version: 1,
    owner: 'alice',
    kernel_name: 'lsst',
    timeout_seconds: 300,
    enable_retry: true,
  };
  const [first, second] = [newJobId(bench.queueName), newJobId(bench.queueName)];
  await alice.list();
  await bench.add({ owner: 'bob' });
  await bench.queue.add(first, data);
  await file.redis.zadd(ownJobsKey(bench.queueName, 'alice'), Date.now() - 1_000, first);
  await bench.queue.add(second, data);
  await bench.queue.add(first, data);
  expect(idsOf(await alice.list())).toEqual([second, first]);
});

test.each([
  ['?limit=0', 'limit', 'Input should be at least 1'],
  ['?limit=101', 'limit', 'Input should be at most 100'],
  ['?limit=1.5', 'limit', 'Input should be a whole number'],
  ['?limit=many', 'limit', 'Input should be a number'],
  ['?limit=', 'limit', 'Input should be at least 1'],
  ['?cursor=', 'cursor', 'Input should be the next_cursor of an earlier answer'],
  ['?cursor=%00%ff', 'cursor', 'Input should be the next_cursor of an earlier answer'],
  ['?cursor=MTIzIG90aGVyLTE', 'cursor', 'Input should be the next_cursor of an earlier answer'],
])('the query %s is a 422', async (query, field, msg) => {
  const { status, json } = await alice.list(query);
  expect(json.detail).toEqual([expect.objectContaining({ loc: ['query', field], msg })]);
  expect(status).toBe(422);
});

test('a page takes one round trip, however many jobs it has', async () => {
  // One of its own, as another test's round trips count as well.
  const { url } = stack.use(await TestRedisServer.start());
  alice = new ApiClient(await functionsOn(url, bench.queueName, stack));
  await submitted(30);
  await alice.list();
  const trips = await redisRoundTrips(url, () => alice.list('?limit=30'));
  expect(Object.fromEntries(trips)).toEqual({ eval: 1 });
});
