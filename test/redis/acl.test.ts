import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { workerRedis } from '../../lib/queue/redis.ts';
import { startSweeper } from '../../lib/queue/sweeper.ts';
import { JobQueue } from '../../workers/executor/jobs/job-queue.ts';
import { ApiClient } from '../support/api-client.ts';
import { aclRules } from '../support/acl-rules.ts';
import { CALLBACK, CourierBench } from '../support/courier.ts';
import { FakePlatform } from '../support/fake-platform.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn } from '../support/functions-on.ts';
import { ExecutorBench } from '../support/in-process-executor.ts';
import { capturedLog } from '../support/log.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { TestRedisServer } from '../support/redis-server.ts';

const ROOT = join(import.meta.dirname, '../..');
/** With all that a URL takes for something else. */
const PASSWORD = 'p@ss/w:rd?#%&+ü canary';
const QUEUE = 'nbexec';

let users: Map<string, string[]>;

let server: TestRedisServer;
let admin: Redis;
let platform: FakePlatform;
let stack: AsyncDisposableStack;

beforeAll(async () => {
  server = await TestRedisServer.start();
  platform = await FakePlatform.start();
  admin = new Redis(server.url);
  const { version } = await TestRedisServer.program();
  users = aclRules(version);
  for (const [name, rules] of users) await admin.call('ACL', 'SETUSER', name, 'on', `>${PASSWORD}`, ...rules);
});
afterAll(async () => {
  admin.disconnect();
  await platform[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

const urlOf = (user: string): string =>
  server.url.replace('redis://', `redis://${user}:${encodeURIComponent(PASSWORD)}@`);

function clientOf(user: string): Redis {
  // KEDA does not ask for INFO.
  const redis = new Redis(urlOf(user), { enableReadyCheck: false });
  stack.defer(() => redis.disconnect());
  redis.on('error', () => undefined);
  return redis;
}

/** What was refused, as "user: command or key". */
async function refused(): Promise<string[]> {
  const entries = (await admin.call('ACL', 'LOG')) as string[][];
  return entries.map((entry) => {
    const value = (name: string) => entry[entry.indexOf(name) + 1];
    return `${value('username')}: ${value('object')}`;
  });
}

test('with the users of docs/redis.md everything can be done that has to be, from submission to sweeping', async () => {
  expect([...users.keys()]).toEqual([
    'noteburst-submit',
    'noteburst-status',
    'noteburst-executor',
    'noteburst-courier',
    'noteburst-github',
    'keda',
  ]);
  const submitting = await functionsOn(urlOf('noteburst-submit'), QUEUE, stack);
  const looking = await functionsOn(urlOf('noteburst-status'), QUEUE, stack);
  const call = async (
    url: string,
    init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
  ) => {
    const headers = { ...identity('alice'), 'Content-Type': 'application/json', ...init.headers };
    const response = await fetch(url, { ...init, headers });
    const text = await response.text();
    return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  const submit = async (source: string, prefer: Record<string, string> = {}) => {
    const body = JSON.stringify({ ipynb: ipynb({ cells: [codeCell(source)] }) });
    const url = `${submitting.submit.url}/noteburst/v1/notebooks/`;
    const { status, json } = await call(url, { method: 'POST', body, headers: prefer });
    expect(status).toBeLessThan(300);
    return `${looking.status.url}/noteburst/v1/notebooks/${json.job_id}`;
  };
  const job = async (url: string) => (await call(`${url}?source=true`)).json;
  const is = (url: string, phase: string) =>
    vi.waitUntil(async () => (await job(url)).status === phase, { timeout: 10_000, interval: 20 });

  // What waits can be cancelled; what is for nobody any more is swept.
  const waits = await submit("print('waits')");
  expect((await call(waits, { method: 'DELETE' })).status).toBe(200);
  const quick = await submit("print('a')");

  const url = urlOf('noteburst-executor');
  const bench = stack.use(new ExecutorBench(platform, { url, redis: admin, newQueueName: () => QUEUE }));
  const { until, executor, ended, entries } = await bench.executor();
  await is(quick, 'complete');
  expect(await job(quick)).toMatchObject({ success: true, ipynb: expect.stringContaining('a') });
  const awaited = await submit("print('b')", { Prefer: 'wait=10' });
  expect(await job(awaited)).toMatchObject({ status: 'complete' });
  expect((await call(`${quick}/events`)).text).toContain('event: job_ended');
  const home = await call(`${looking.status.url}/noteburst/`, { headers: { Accept: 'text/html' } });
  expect(home.text).toContain(awaited.split('/').at(-1));

  const running = await submit('time.sleep(30)');
  await is(running, 'in_progress');
  // Its end is not to come before the answer, which would be 200 then.
  platform.failures.failOn('lab-api', { slowMs: 1_000 });
  expect((await call(running, { method: 'DELETE' })).status).toBe(202);
  await is(running, 'complete');

  // Given back on the way out.
  const unfinished = await submit('time.sleep(30)');
  await is(unfinished, 'in_progress');
  executor.requestStop();
  await ended;
  await until('released');
  expect(await job(unfinished)).toMatchObject({ status: 'queued' });

  const stop = new AbortController();
  const { log, lines } = capturedLog();
  const sweeping = startSweeper({
    redis: clientOf('noteburst-executor'),
    queueName: QUEUE,
    retentionSeconds: 0.001,
    retentionBytes: 0,
    startWithinSeconds: 0.001,
    log,
    signal: stop.signal,
    intervalMs: 50,
  });
  const keys = () => admin.keys('*:source:*');
  await vi.waitUntil(async () => (await keys()).length === 0, { timeout: 5_000, interval: 20 });
  stop.abort();
  await sweeping;

  expect(await refused()).toEqual([]);
  const logged =
    [...lines, ...submitting.submit.lines, ...looking.status.lines].join('') + JSON.stringify(entries());
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'canary'])
    expect(logged).not.toContain(secret);
});

test('callbacks are noted, delivered and shown', async () => {
  const submitting = await functionsOn(urlOf('noteburst-submit'), QUEUE, stack, 100, [], 'courier');
  const looking = await functionsOn(urlOf('noteburst-status'), QUEUE, stack);
  const file = { url: server.url, redis: admin, newQueueName: () => QUEUE };
  const bench = stack.use(new CourierBench(file, 'courier'));
  bench.answer = async (attempt) => ({ status: attempt === 1 ? 503 : 204, retryAfter: undefined });
  await bench.courier({ url: urlOf('noteburst-courier') });
  const client = new ApiClient({ ...submitting, status: looking.status });
  const once = { 'Idempotency-Key': 'a' };
  const { json } = await client.submit({ callback: CALLBACK }, once);
  expect((await client.cancel(json.job_id)).status).toBe(200);
  const read = async () => (await client.list()).json.jobs[0]?.['callback'];
  await vi.waitFor(async () => expect(await read()).toMatchObject({ state: 'delivered', attempts: 2 }), {
    timeout: 10_000,
  });
  expect((await client.cancel(json.job_id)).json['callback']).toMatchObject({ state: 'delivered' });
  expect((await client.submit({ callback: CALLBACK }, once)).json['callback']).toMatchObject({ attempts: 2 });
  // As when it was handed over, and nobody knew.
  await admin.zadd('{noteburst}:callbacks:courier', 1, json.job_id, 1, `${QUEUE}-${'0'.repeat(32)}`);
  const left = async () => (await admin.zcard('{noteburst}:callbacks:courier')) === 0;
  await vi.waitUntil(left, { timeout: 10_000, interval: 20 });
  expect(await refused()).toEqual([]);
});

test('the job of an executor that died is taken over', async () => {
  const submitting = await functionsOn(urlOf('noteburst-submit'), QUEUE, stack);
  const { json } = await new ApiClient(submitting).submit();
  const redis = workerRedis({ url: urlOf('noteburst-executor') });
  stack.defer(() => redis.disconnect());
  const { log, lines } = capturedLog();
  const executors = [new JobQueue(QUEUE, redis, 50, log), new JobQueue(QUEUE, redis, 1_000, log)] as const;
  for (const executor of executors) stack.defer(() => executor.close());
  const [dead, next] = executors;
  expect((await dead.take())?.job.id).toBe(json.job_id);
  // Of an executor before, which looked not long ago.
  await admin.del(`{noteburst}:${QUEUE}:stalled-check`);
  await next.start();
  const again = await vi.waitUntil(() => next.take(), { timeout: 10_000 });
  expect(again.job.id).toBe(json.job_id);
  await next.complete(again, {});
  expect(lines.filter((line) => line.includes('NOPERM') || line.includes("can't run"))).toEqual([]);
});

test('KEDA can count what its trigger names', async () => {
  const keda = clientOf('keda');
  // The way its Redis scaler does.
  const count = `
    local type = redis.call('type', KEYS[1]).ok
    if type == 'list' then return redis.call('llen', KEYS[1]) end
    if type == 'zset' then return redis.call('zcard', KEYS[1]) end
    return 0`;
  await admin.lpush(`{noteburst}:${QUEUE}:active`, 'a', 'b');
  await admin.zadd(`{noteburst}:${QUEUE}:prioritized`, 1, 'a');
  await admin.lpush('{noteburst}:courier:wait', 'a');
  await admin.lpush('{noteburst}:courier-suites:wait', 'a', 'b', 'c');
  await admin.zadd('{noteburst}:callbacks:courier', 1, 'a');
  const ofPool = ['active', 'prioritized', 'wait'].map((name) => `${QUEUE}:${name}`);
  const counted = [...ofPool, 'courier:wait', 'courier-suites:wait', 'callbacks:courier'].map((name) =>
    keda.eval(count, 1, `{noteburst}:${name}`),
  );
  expect(await Promise.all(counted)).toEqual([2, 1, 0, 1, 3, 1]);
});

test.each([
  ['noteburst-submit', ['get', '{noteburst}:lease:bot']],
  ['noteburst-submit', ['set', '{noteburst}:epoch:bot', '1']],
  ['noteburst-submit', ['publish', '{noteburst}:cancel', 'job']],
  ['noteburst-submit', ['bzpopmin', `{noteburst}:${QUEUE}:marker`, '1']],
  ['noteburst-status', ['del', `{noteburst}:source:job`]],
  ['noteburst-status', ['set', '{noteburst}:lease:bot', 'x']],
  ['noteburst-status', ['get', `{noteburst}:target:job`]],
  ['noteburst-courier', ['get', `{noteburst}:source:job`]],
  ['noteburst-courier', ['set', '{noteburst}:lease:bot', 'x']],
  ['noteburst-github', ['get', '{noteburst}:target:job']],
  ['noteburst-github', ['set', '{noteburst}:lease:bot', 'x']],
  ['noteburst-executor', ['get', 'elsewhere']],
  ['noteburst-executor', ['keys', '*']],
  ['noteburst-executor', ['flushall']],
  ['noteburst-executor', ['config', 'get', '*']],
  ['keda', ['get', '{noteburst}:source:job']],
  ['keda', ['eval', "return redis.call('DEL', KEYS[1])", '1', `{noteburst}:${QUEUE}:active`]],
] as const)('%s may not %s', async (user, [command, ...args]) => {
  await expect(clientOf(user).call(command, ...args)).rejects.toThrow(/NOPERM|permission|ACL|can't run/);
});

test('a process with a wrong password says so, without the password', async () => {
  const process = spawn(execPath, [join(ROOT, 'functions/submit/index.ts')], {
    env: {
      PORT: '0',
      NOTEBURST_REDIS_URL: urlOf('noteburst-submit').replace('canary', 'wrong-canary'),
      NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org',
      NOTEBURST_GAFAELFAWR_URL: 'https://data.example.org/auth/api/v1',
    },
  });
  stack.defer(() => void process.kill('SIGKILL'));
  let logged = '';
  for (const stream of [process.stdout, process.stderr])
    stream.on('data', (text) => (logged += String(text)));
  await vi.waitUntil(() => logged.includes('WRONGPASS'), { timeout: 10_000, interval: 20 });
  process.kill('SIGTERM');
  await once(process, 'exit');
  expect(logged).not.toContain('canary');
});

test('whatever the scripts of BullMQ may call, on rare ways too, is allowed', async () => {
  const commands = new Set(((await admin.call('COMMAND')) as [string][]).map(([name]) => name));
  const scripts = {
    'noteburst-submit': 'addPrioritizedJob,addStandardJob,getState,getStateV2',
    'noteburst-status': 'getState,getStateV2',
    'noteburst-courier':
      'addStandardJob,moveToActive,moveToFinished,extendLocks,moveStalledJobsToWait,moveToDelayed,retryJob',
    'noteburst-github': 'addStandardJob,getState',
    'noteburst-executor':
      'moveToActive,moveToFinished,extendLock,moveStalledJobsToWait,moveToDelayed,moveJobFromActiveToWait,updateProgress',
  };
  for (const [user, names] of Object.entries(scripts)) {
    const files = globSync(`node_modules/bullmq/dist/esm/scripts/{${names}}-*.js`, { cwd: ROOT });
    expect(files).toHaveLength(names.split(',').length);
    const texts = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
    // Also those that reach a call by a variable: one that is refused ends its script half-way, and what was taken off a
    // list is on none.
    const words = [...texts.matchAll(/["']([A-Z]+)["']|call\(\s*["'](\w+)/g)].map(([, word, name]) =>
      String(word ?? name).toLowerCase(),
    );
    const called = words.filter((word) => commands.has(word)).map((word) => `+${word}`);
    expect(called.length).toBeGreaterThan(5);
    expect([...new Set(called)].filter((command) => !users.get(user)?.includes(command))).toEqual([]);
  }
});
