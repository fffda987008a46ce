import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newJobId } from '../../lib/contract/nbexec-job.ts';
import { Admission, type Submission } from '../../lib/queue/admission.ts';
import { CLAIM_MS } from '../../lib/queue/admit-script.ts';
import { idempotencyKey } from '../../lib/queue/owner-keys.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { KeyInUseError } from '../../lib/queue/submission-errors.ts';
import { ApiClient, printing } from '../support/api-client.ts';
import { WorkerBench } from '../support/executor.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const KEY = { 'Idempotency-Key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' };
let stack: AsyncDisposableStack;
let bench: WorkerBench;
let functions: Functions;
let alice: ApiClient;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  bench = stack.use(new WorkerBench(file));
  await file.redis.flushdb(); // a key is one in all queues
  functions = await functionsOn(file.url, bench.queueName, stack, 3);
  alice = new ApiClient(functions);
});
afterEach(() => stack.disposeAsync());

const jobs = () => file.redis.zcard(bench.key('prioritized'));
const recordOf = (owner: string, key = KEY['Idempotency-Key']) => idempotencyKey(owner, key);

describe('a submission that is sent again with its key', () => {
  test('is answered with its job, as it is now', async () => {
    const first = await alice.submit({ timeout: 300 }, KEY);
    const again = await alice.submit({ timeout: '5m' }, KEY);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.json).toEqual(first.json);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(await jobs()).toBe(1);
    await alice.cancel(first.json.job_id);
    const ended = await alice.submit({}, KEY);
    // 200 is for those who asked to wait.
    expect(ended.status).toBe(202);
    expect(ended.json).toMatchObject({ job_id: first.json.job_id, status: 'complete', phase: 'aborted' });
    const waited = await alice.submit({}, { ...KEY, Prefer: 'wait=10' });
    expect(waited.status).toBe(200);
    expect(waited.json).toEqual(ended.json);
    expect(await file.redis.ttl(recordOf('alice'))).toBeGreaterThan(86_390);
  });

  test('can wait for the end of its job', async () => {
    const { json } = await alice.submit({}, KEY);
    const waiting = alice.submit({}, { ...KEY, Prefer: 'wait=20' });
    await bench.worker();
    await functions.store.putResult(json.job_id, 'a', 'the result', 60);
    (await bench.runsBegun(1)).end({ result_id: 'a' });
    const { status, json: ended, headers } = await waiting;
    expect(ended).toMatchObject({ job_id: json.job_id, success: true, ipynb: 'the result' });
    expect(headers.get('preference-applied')).toBe('wait=20');
    expect(status).toBe(200);
  });

  test('counts once, also for a caller who has as many jobs as allowed', async () => {
    const { json } = await alice.submit({}, KEY);
    for (const _ of [2, 3]) await alice.submit();
    expect((await alice.submit()).status).toBe(429);
    expect((await alice.submit({}, KEY)).json.job_id).toBe(json.job_id);
  });

  test('is another one when its job is there no more', async () => {
    const { json } = await alice.submit({}, KEY);
    await file.redis.del(bench.key(json.job_id));
    const again = await alice.submit({}, KEY);
    expect(again.status).toBe(202);
    expect(again.json.job_id).not.toBe(json.job_id);
  });

  test('makes one job, however often at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => alice.submit({}, KEY)));
    const taken = answers.filter(({ status }) => status === 202);
    expect(new Set(taken.map(({ json }) => json.job_id)).size).toBe(1);
    for (const { status, json, headers } of answers.filter((answer) => !taken.includes(answer))) {
      expect(status).toBe(409);
      expect(json.detail?.[0]?.type).toBe('idempotency_key_in_use');
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(5);
    }
    expect(await jobs()).toBe(1);
  });
});

test.each([{ ipynb: printing('b') }, { timeout: 60 }, { parameters: { x: 1 } }, { tags: ['b'] }])(
  'the key of another submission is refused: %j',
  async (other) => {
    await alice.submit({}, KEY);
    const { status, json } = await alice.submit(other, KEY);
    expect(json.detail).toEqual([
      {
        type: 'idempotency_key_reused',
        loc: ['header', 'Idempotency-Key'],
        msg: 'The idempotency key was used for another submission',
      },
    ]);
    expect(status).toBe(422);
    expect(await jobs()).toBe(1);
  },
);

test("nobody sees another's key", async () => {
  const { json } = await alice.submit({}, KEY);
  const bob = await new ApiClient(functions, 'bob').submit({ timeout: 60 }, KEY);
  expect(bob.status).toBe(202);
  expect(bob.json.job_id).not.toBe(json.job_id);
});

describe('a submission that broke off between its admission and its job', () => {
  let admission: Admission;
  let submission: Submission;
  beforeEach(async () => {
    const redis = requestRedis(file.url);
    stack.defer(() => redis.disconnect());
    await untilReady(redis, 5_000);
    admission = new Admission(redis, { maxJobsPerCaller: 3, ttlSeconds: 60 });
    submission = {
      jobId: newJobId(bench.queueName),
      owner: 'alice',
      fingerprint: 'a',
      idempotency: { key: KEY['Idempotency-Key'], fingerprint: 'b' },
    };
  });
  const again = () => admission.admit({ ...submission, jobId: newJobId(bench.queueName) });
  /** As if the claim had been made so long ago. */
  const claimedAgo = (ms: number) => file.redis.hset(recordOf('alice'), 'claimed_at', Date.now() - ms);

  test('keeps others from its key for a moment, and is then completed as the same job', async () => {
    expect(await admission.admit(submission)).toMatchObject({ jobId: submission.jobId, exists: false });
    await expect(again()).rejects.toThrow(KeyInUseError);
    await claimedAgo(CLAIM_MS - 1_500);
    await expect(again()).rejects.toMatchObject({ retryAfterSeconds: 2 });
    await claimedAgo(CLAIM_MS);
    expect(await again()).toMatchObject({ jobId: submission.jobId, exists: false });
    // Whoever completes it claims it anew.
    await expect(again()).rejects.toThrow(KeyInUseError);
  });

  test('claims nothing when it is refused', async () => {
    for (const _ of [1, 2, 3])
      await admission.admit({ jobId: newJobId(bench.queueName), owner: 'alice', fingerprint: 'c' });
    await expect(admission.admit(submission)).rejects.toThrow('unfinished jobs');
    expect(await file.redis.exists(recordOf('alice'))).toBe(0);
  });
});
