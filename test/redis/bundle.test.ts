import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EAGER_BYTES, EAGER_PACKAGES } from '../../build/budget.ts';
import { bundle, type Eager } from '../../build/bundle.ts';
import { compileCacheEnv, fillCompileCache } from '../../build/compile-cache.ts';
import { LICENCES } from '../../build/licences.ts';
import { ServerProcess } from '../../build/server-process.ts';
import { COURIER_JOB, suitesQueueOf } from '../../lib/contract/courier-job.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { serialize } from '../../platform/origin/token-store.ts';
import { ENTRIES } from '../../platform/services/product.ts';
import { FakePlatform } from '../support/fake-platform.ts';
import { ipynb } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { runNode } from '../support/run-node.ts';

const file = await redisOfFile();
const FUNCTIONS = ['submit', 'status', 'github'] as const;
const WORKERS = ['executor', 'courier'] as const;
const PROGRAMS = [...FUNCTIONS, ...WORKERS];

let dist: string;
const bundled = {} as Record<keyof typeof ENTRIES, Eager>;

// Far from any node_modules.
beforeAll(async () => {
  dist = mkdtempSync(join(tmpdir(), 'noteburst-dist-'));
  for (const name of PROGRAMS) {
    bundled[name] = await bundle(name, ENTRIES[name], dist);
  }
}, 60_000);
afterAll(() => rmSync(dist, { recursive: true }));

describe.each(FUNCTIONS)('what %s has loaded once it has started', (name) => {
  test('is of packages that have a reason', () => {
    expect(bundled[name].packages.filter((found) => !EAGER_PACKAGES.includes(found))).toEqual([]);
  });

  test('is nothing that only pages, documentation and executors need', () => {
    const late =
      /^(workers\/|functions\/status\/pages\/render\/|functions\/status\/docs\/page|lib\/contract\/openapi)/;
    expect(bundled[name].files.filter((path) => late.test(path))).toEqual([]);
  });

  test('is within the budget', () => {
    expect(bundled[name].bytes).toBeLessThan(EAGER_BYTES);
  });
});

test('no package is allowed that no function needs', () => {
  const found = new Set(FUNCTIONS.flatMap((name) => bundled[name].packages));
  expect(EAGER_PACKAGES.filter((name) => !found.has(name))).toEqual([]);
});

test.each(PROGRAMS)('%s has the licences of its packages beside it', (name) => {
  const text = readFileSync(join(dist, name, LICENCES), 'utf8');
  const told = new Set([...text.matchAll(/^(\S+) \d\S*: /gm)].map(([, of]) => of));
  expect(bundled[name].packages.filter((found) => !told.has(found))).toEqual([]);
  expect(text).toContain('Permission is hereby granted');
});

test.each(PROGRAMS)('%s needs Node alone', (name) => {
  expect(bundled[name].unbundled).toEqual([]);
});

test('a notebook is submitted and read with the functions of an otherwise empty folder', async () => {
  await using stack = new AsyncDisposableStack();
  const platform = stack.use(await FakePlatform.start());
  const token = serialize(
    platform.tokens.create({ username: 'alice', tokenType: 'user', scopes: ['exec:notebook'] }),
  );
  const identity = { 'x-auth-request-user': 'alice', 'x-auth-request-token': token };
  const env = {
    NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org',
    NOTEBURST_REDIS_URL: file.url,
    NOTEBURST_GAFAELFAWR_URL: platform.gafaelfawrUrl,
    NOTEBURST_WORKER_QUEUE_NAME: file.newQueueName(),
  };
  const start = async (name: (typeof FUNCTIONS)[number]) => {
    const program = { file: join(dist, `${name}.mjs`), env, first: { path: '/health/ready' } };
    return stack.use(await ServerProcess.start(program));
  };
  const [submit, status] = [await start('submit'), await start('status')];
  const posted = await fetch(`${submit.url}/noteburst/v1/notebooks/`, {
    method: 'POST',
    headers: { ...identity, 'content-type': 'application/json' },
    body: JSON.stringify({ ipynb: ipynb() }),
  });
  expect(posted.status).toBe(202);
  const { job_id: id } = (await posted.json()) as { job_id: string };
  const path = `${status.url}/noteburst/v1/notebooks/${id}`;
  const read = await fetch(`${path}?source=true`, { headers: identity });
  expect(await read.json()).toMatchObject({ status: 'queued', source: ipynb() });
  // What is loaded on demand is there, too.
  const page = await fetch(path, { headers: { ...identity, accept: 'text/html' } });
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  const document = await fetch(`${status.url}/noteburst/openapi.json`, { headers: identity });
  expect(document.status).toBe(200);
});

test.each([
  ['executor', 'NOTEBURST_WORKER_IDENTITIES_PATH'],
  ['courier', 'NOTEBURST_ENVIRONMENT_URL'],
] as const)('the %s starts there and tells what its environment lacks', async (name, variable) => {
  const { code, stderr } = await runNode(join(dist, `${name}.mjs`), {});
  expect(stderr).toContain(`${variable}: is required but not set`);
  expect(code).toBe(2);
});

test('a courier there loads what suites need with the first of them', async () => {
  const queueName = file.newQueueName();
  const queue = new Queue(suitesQueueOf(queueName), { connection: file.redis, prefix: KEY_PREFIX });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => queue.close());
  const env = {
    NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org',
    NOTEBURST_REDIS_URL: file.url,
    NOTEBURST_COURIER_QUEUE_NAME: queueName,
  };
  const program = { file: join(dist, 'courier.mjs'), env, first: { path: '/health/ready' } };
  stack.use(await ServerProcess.start(program));
  const { id = '' } = await queue.add('suite', {}, COURIER_JOB);
  await vi.waitUntil(async () => (await queue.getJob(id))?.finishedOn, { timeout: 10_000 });
  // So far it comes without an app.
  expect((await queue.getJob(id))?.failedReason).toContain('This courier runs no suites');
});

test.each(FUNCTIONS)('%s starts with what V8 has compiled before, from another folder, too', async (name) => {
  await fillCompileCache(name, dist);
  const moved = mkdtempSync(join(tmpdir(), 'noteburst-moved-'));
  try {
    cpSync(dist, moved, { recursive: true });
    // It loads all of its modules, and then ends for want of an environment.
    const env = { ...compileCacheEnv(moved), NODE_DEBUG_NATIVE: 'COMPILE_CACHE' };
    const { stderr, stdout } = await runNode(join(moved, `${name}.mjs`), env);
    expect(stdout + stderr).toContain(`${name}.mjs was accepted`);
  } finally {
    rmSync(moved, { recursive: true });
  }
});
