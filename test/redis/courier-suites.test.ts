/** Suites have a queue, and slots, of their own. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { COURIER_JOB, suitesQueueOf } from '../../lib/contract/courier-job.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { suiteJobId, type SuiteJobData } from '../../lib/contract/suite-job.ts';
import { bullKey, bullKeys } from '../../lib/queue/bull-keys.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { SuiteQueue } from '../../lib/queue/suite-queue.ts';
import { CourierQueue, type CourierHandler, type CourierTask } from '../../workers/courier/courier-queue.ts';
import type { CourierParts } from '../../workers/courier/courier.ts';
import type { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { CourierBench } from '../support/courier.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { capturedLog } from '../support/log.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const SUITES = 25;
let stack: AsyncDisposableStack;
let bench: CourierBench;
let queue: SuiteQueue;
beforeEach(() => {
  stack = new AsyncDisposableStack();
  bench = stack.use(new CourierBench(file));
  queue = new SuiteQueue(bench.courierQueue, file.redis, () => undefined);
  stack.defer(() => queue.close());
});
afterEach(() => stack.disposeAsync());

/** A GitHub that never answers: suites begin, and do not end. */
function silentGithub(): CourierParts['suites'] {
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-courier-suites-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const fetch: Outgoing['fetch'] = (_, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
    });
  const config = {
    appId: '4711',
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }) as string,
    apiUrl: 'https://github.example.org/api/v3',
    tokenPath: join(dir, 'token'),
    serviceUrl: 'https://data.example.org/noteburst',
    publicUrl: 'https://data.example.org/noteburst',
    repositories: [],
    hostUrl: 'https://github.example.org',
    hosts: [],
    cachePath: dir,
    maxRepositoryBytes: 1,
    fetchMs: 1,
    caPath: undefined,
  };
  return {
    config,
    outgoing: { fetch, addressesOf: async () => ({ port: 443, addresses: [] }) },
    reportsUrl: '',
  };
}

async function addSuites(): Promise<void> {
  for (let n = 0; n < SUITES; n++) {
    const run = n.toString(16).padStart(32, '0');
    const of = { repository: 'team/tutorials', commit: 'c'.repeat(40), installation: 55, branch: 'main' };
    const data: SuiteJobData = { version: 1, run, ...of, event: 'push' };
    await queue.add('suite', suiteJobId(run), data, [run]);
  }
}

const active = async () => {
  const { values } = await bench.metrics.active.get();
  return values.find(({ labels }) => labels.kind === 'suite')?.value;
};

test('three suites run at once, and callbacks do not wait for any', async () => {
  await addSuites();
  const courier = await bench.courier({ suites: silentGithub() });
  await vi.waitUntil(async () => (await active()) === 3, { timeout: 10_000 });
  const id = await bench.add();
  await bench.jobs.queue.cancel((await bench.jobs.queue.find(id)) as JobSnapshot);
  await bench.delivery(id, 'delivered');
  expect(await active()).toBe(3);
  const [waiting = '', delayed = ''] = bullKeys(suitesQueueOf(bench.courierQueue), ['wait', 'delayed']);
  expect(await file.redis.llen(waiting)).toBe(SUITES - 3);
  // What runs is given back to the next courier.
  expect(await courier.close(10_000)).toBe(true);
  expect(await file.redis.zcard(delayed)).toBe(3);
  expect(await active()).toBe(0);
});

test('a job of a kind that this courier does not know is left to a newer one', async () => {
  const newer = new Queue(bench.courierQueue, { connection: file.redis, prefix: KEY_PREFIX });
  stack.defer(() => newer.close());
  await newer.add('newer', {}, COURIER_JOB);
  await bench.courier({ firstRetryMs: 60_000 });
  await vi.waitUntil(async () => (await newer.getDelayedCount()) === 1, { timeout: 10_000 });
  expect(bench.lines.join('')).toContain('does no jobs of the kind newer');
});

const LOCK_MS = 600;

/** A courier's queue of its own. */
function suitesQueue(queueName: string, suite: CourierHandler, url = file.url): CourierQueue<'suite'> {
  const redis = workerRedis(url).on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  const { metrics } = bench;
  const common = { queueName, redis, lockMs: LOCK_MS, firstRetryMs: 20, metrics, slots: 2 };
  const suites = new CourierQueue({ ...common, handlers: { suite }, log: capturedLog().log });
  stack.defer(() => suites.close());
  return suites;
}

test('losses are those attempts that ended with their courier, and not those that were given back', async () => {
  const queueName = file.newQueueName();
  const tasks: CourierTask[] = [];
  const begin = () =>
    suitesQueue(queueName, async (task) => {
      tasks.push(task);
      await once(task.signal, 'abort');
      task.signal.throwIfAborted();
    });
  const first = begin();
  await first.add('suite', 'suite-1', {});
  const redis = workerRedis(file.url).on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  const dead = new Worker(queueName, null, { connection: redis, prefix: KEY_PREFIX, lockDuration: 100 });
  expect(await dead.getNextJob('dead')).toBeDefined();
  await dead.close();
  first.start();
  await vi.waitUntil(() => tasks.length === 1, { timeout: 10_000 });
  await first.close();
  const second = begin();
  second.start();
  await vi.waitUntil(() => tasks.length === 2, { timeout: 10_000 });
  await second.close();
  expect(tasks.map(({ attempt, losses }) => ({ attempt, losses }))).toEqual([
    { attempt: 2, losses: 1 },
    { attempt: 3, losses: 1 },
  ]);
});

test('a courier without Redis leaves its suite alone before another has it', async () => {
  const queueName = file.newQueueName();
  const proxy = stack.use(await FaultProxy.start(file.url));
  const told: string[] = [];
  const cut = suitesQueue(
    queueName,
    async ({ signal }) => {
      told.push('begun');
      await once(signal, 'abort');
      told.push('left alone');
      signal.throwIfAborted();
    },
    proxy.url,
  );
  await cut.add('suite', 'suite-1', {});
  cut.start();
  await vi.waitUntil(() => told.length === 1, { timeout: 10_000 });
  proxy.partition();
  const other = suitesQueue(queueName, async ({ losses }) => void told.push(`done, losses: ${losses}`));
  other.start();
  await vi.waitUntil(() => told.length === 3, { timeout: 10_000 });
  expect(told).toEqual(['begun', 'left alone', 'done, losses: 1']);
  const [completed = ''] = bullKeys(queueName, ['completed']);
  await vi.waitUntil(async () => (await file.redis.zcard(completed)) === 1, { timeout: 10_000 });
  proxy.heal();
  await cut.close();
  expect(await file.redis.zcard(completed)).toBe(1);
});

test('a courier that has lost a suite begins it anew when the attempt has ended', async () => {
  const queueName = file.newQueueName();
  const ended = Promise.withResolvers<void>();
  const tasks: CourierTask[] = [];
  const told: string[] = [];
  const suites = suitesQueue(queueName, async (task) => {
    tasks.push(task);
    told.push('begun');
    await once(task.signal, 'abort');
    await ended.promise;
    told.push('ended');
    task.signal.throwIfAborted();
  });
  await suites.add('suite', 'suite-1', {});
  suites.start();
  await vi.waitUntil(() => tasks.length === 1, { timeout: 10_000 });
  const lock = bullKey(queueName, 'suite-1:lock');
  await file.redis.del(lock);
  const isTakenAgain = async () => (await file.redis.exists(lock)) === 1;
  await vi.waitUntil(isTakenAgain, { timeout: 10_000, interval: 5 });
  setTimeout(() => ended.resolve(), LOCK_MS / 4);
  await vi.waitUntil(() => tasks.length === 2, { timeout: 10_000 });
  expect(told).toEqual(['begun', 'ended', 'begun']);
  // This one keeps its lock.
  const lost = once(tasks[1]?.signal as AbortSignal, 'abort', { signal: AbortSignal.timeout(4 * LOCK_MS) });
  await expect(lost).rejects.toThrow('aborted');
  expect(tasks.map(({ losses }) => losses)).toEqual([0, 1]);
});
