/** Suites have a queue, and slots, of their own. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { suitesQueueOf } from '../../lib/contract/courier-job.ts';
import { suiteJobId, type SuiteJobData } from '../../lib/contract/suite-job.ts';
import { bullKeys } from '../../lib/queue/bull-keys.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { SuiteQueue } from '../../lib/queue/suite-queue.ts';
import type { CourierParts } from '../../workers/courier/courier.ts';
import type { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { CourierBench } from '../support/courier.ts';
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
    repositories: [],
    hostUrl: 'https://github.example.org',
    hosts: [],
    cachePath: dir,
    maxRepositoryBytes: 1,
    fetchMs: 1,
    caPath: undefined,
  };
  return { config, outgoing: { fetch, addressesOf: async () => ({ port: 443, addresses: [] }) }, reportsUrl: '' };
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
