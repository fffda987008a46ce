/** The users of docs/redis.md that suites of repositories need; the others are in acl.test.ts. */
import { once } from 'node:events';
import { zstdCompressSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { suitesQueueOf } from '../../lib/contract/courier-job.ts';
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { GoodRuns } from '../../lib/queue/good-runs.ts';
import { requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { SuiteQueue } from '../../lib/queue/suite-queue.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { CourierQueue, type CourierTask } from '../../workers/courier/courier-queue.ts';
import { CourierMetrics } from '../../workers/courier/metrics.ts';
import { lookedAt, noteLook } from '../../workers/courier/suites/looked.ts';
import { aclRules } from '../support/acl-rules.ts';
import { capturedLog } from '../support/log.ts';
import { TestRedisServer } from '../support/redis-server.ts';

const PASSWORD = 'canary';
const stack = new AsyncDisposableStack();
let server: TestRedisServer;
let admin: Redis;

beforeAll(async () => {
  server = stack.use(await TestRedisServer.start());
  admin = new Redis(server.url);
  stack.defer(() => admin.disconnect());
  const { version } = await TestRedisServer.program();
  for (const [name, rules] of aclRules(version))
    await admin.call('ACL', 'SETUSER', name, 'on', `>${PASSWORD}`, ...rules);
});
afterAll(() => stack.disposeAsync());

const urlOf = (user: string): string => server.url.replace('redis://', `redis://${user}:${PASSWORD}@`);

test('the function that GitHub calls asks for runs of suites, and the courier does them and gives them back', async () => {
  const run: SuiteRun = {
    id: 'a'.repeat(32),
    repository: 'team/tutorials',
    branch: 'main',
    commit: 'c'.repeat(40),
    event: 'push',
    state: 'ended',
    started: new Date().toISOString(),
  };
  const asking = requestRedis(urlOf('noteburst-github')).on('error', () => undefined);
  stack.defer(() => asking.disconnect());
  await untilReady(asking, 5_000);
  const queue = new SuiteQueue('courier', asking, () => undefined);
  stack.defer(() => queue.close());
  await queue.add('suite', 'suite-1', { n: 1 }, ['digest']);
  await queue.remember('another');
  expect(await queue.taken(['digest', 'another', 'other'])).toEqual([true, true, false]);

  const redis = workerRedis(urlOf('noteburst-courier')).on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  const common = {
    queueName: suitesQueueOf('courier'),
    redis,
    slots: 1,
    lockMs: 1_000,
    firstRetryMs: 20,
    metrics: new CourierMetrics(),
    log: capturedLog().log,
  };
  const begun = Promise.withResolvers<void>();
  const until = ({ signal }: CourierTask) => {
    begun.resolve();
    return once(signal, 'abort').then(() => signal.throwIfAborted());
  };
  const first = new CourierQueue({
    ...common,
    handlers: { suite: until },
  });
  first.start();
  await begun.promise;
  await first.close();
  const done = Promise.withResolvers<number>();
  const suite = async ({ attempt }: CourierTask) => {
    const keep = async () => {
      const notebooks = new Map([['0-a.ipynb', zstdCompressSync('{"cells":[]}')]]);
      await new SuiteRuns(redis).write(run, { report: '{}', notebooks });
      await new GoodRuns(redis, run).write(['a'], new Map([['a', notebooks.get('0-a.ipynb') as Buffer]]));
      await new GoodRuns(redis, run).read('a');
    };
    await keep().then(() => done.resolve(attempt), done.reject);
  };
  const second = new CourierQueue({ ...common, handlers: { suite } });
  stack.defer(() => second.close());
  second.start();
  expect(await done.promise).toBe(2);
  expect(await new SuiteRuns(asking).list('team/tutorials')).toEqual([run]);
  expect(await new SuiteRuns(asking).document(run.id, 'report')).toBe('{}');
  expect((await new SuiteRuns(asking).notebook(run.id, '0-a.ipynb'))?.toString()).toBe('{"cells":[]}');
  expect(await admin.call('ACL', 'LOG')).toEqual([]);
});

test('the courier writes up to when it looked at schedules', async () => {
  const redis = workerRedis(urlOf('noteburst-courier')).on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  const schedules = [{ name: 'nightly', cron: '30 2 * * *', timezone: 'UTC' }];
  await noteLook(redis, 'team/tutorials', schedules, 1_000);
  await noteLook(redis, 'team/tutorials', schedules, 2_000);
  await noteLook(redis, 'team/tutorials', [], 1_500);
  expect([...(await lookedAt(redis, 'team/tutorials')).values()]).toEqual([2_000]);
  await noteLook(redis, 'team/tutorials', [], 3_000);
  expect(await lookedAt(redis, 'team/tutorials')).toEqual(new Map());
});
