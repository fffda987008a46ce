import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Redis } from 'ioredis';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { leaseRedis, requestRedis, untilReady, watchRedis, workerRedis } from '../../lib/queue/redis.ts';
import { nextEpoch } from '../../workers/executor/identity/fencing-epoch.ts';
import { identity } from '../support/function-server.ts';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { ipynb } from '../support/notebooks.ts';
import { SentinelSetup } from '../support/redis-sentinel.ts';

let sentinel: SentinelSetup;
let stack: AsyncDisposableStack;
beforeAll(async () => {
  sentinel = await SentinelSetup.start();
}, 30_000);
afterAll(() => sentinel[Symbol.asyncDispose]());
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

const quiet = (redis: Redis): Redis => {
  redis.on('error', () => undefined);
  return stack.adopt(redis, (client) => client.disconnect());
};

/** A client of one node, whatever its role. */
const clientOf = ({ url }: { url: string }): Redis => quiet(new Redis(url));

async function submit({ submit: { url } }: Functions): Promise<{ status: number; id: string | undefined }> {
  const headers = { ...identity('alice'), 'Content-Type': 'application/json' };
  const body = JSON.stringify({ ipynb: ipynb() });
  const response = await fetch(`${url}/noteburst/v1/notebooks/`, { method: 'POST', headers, body });
  const { job_id: id } = (await response.json()) as { job_id?: string };
  return { status: response.status, id };
}

const status = async ({ status: { url } }: Functions, id: string): Promise<unknown> =>
  (await fetch(`${url}/noteburst/v1/notebooks/${id}?source=true`, { headers: identity('alice') })).json();

test('nothing is accepted that no replica has, and all again when one is back', async () => {
  const functions = await functionsOn(sentinel.setup, 'replicas', stack);
  expect((await submit(functions)).status).toBe(202);
  const replicas = await sentinel.replicas();
  try {
    for (const replica of replicas) replica.freeze();
    expect((await submit(functions)).status).toBe(503);
  } finally {
    for (const replica of replicas) replica.thaw();
  }
  await vi.waitUntil(async () => (await submit(functions)).status === 202, { timeout: 10_000, interval: 50 });
});

test('a notebook can be kept though no replica has it: what has run must be able to end', async () => {
  const { store } = await functionsOn(sentinel.setup, 'results', stack);
  const replicas = await sentinel.replicas();
  try {
    for (const replica of replicas) replica.freeze();
    await store.putResult('job', 'attempt', 'the result', 60);
  } finally {
    for (const replica of replicas) replica.thaw();
  }
  expect(await store.getResult('job', 'attempt')).toBe('the result');
});

test('a master that was made a replica is left, though it closes no connection', async () => {
  const [request, lease, worker] = [requestRedis, leaseRedis, workerRedis].map((kind) =>
    quiet(kind(sentinel.setup)),
  ) as [Redis, Redis, Redis];
  await Promise.all([request, lease, worker].map((client) => untilReady(client, 5_000)));
  const connections = [request, lease, worker].map((client) => client.stream);
  const master = clientOf(await sentinel.master());
  const [replica] = await sentinel.replicas();
  // Behind the sentinels' back: they would close the connections.
  await master.replicaof('127.0.0.1', new URL((replica as { url: string }).url).port);
  const patient = worker.set('key', 'v', 'EX', 60);
  try {
    await expect(request.set('key', 'v')).rejects.toThrow('READONLY');
    await expect(lease.set('key', 'v')).rejects.toThrow('READONLY');
  } finally {
    await master.replicaof('NO', 'ONE');
  }
  // It was sent again until a master took it.
  expect(await patient).toBe('OK');
  await Promise.all([request, lease].map((client) => untilReady(client, 5_000)));
  for (const [n, client] of [request, lease, worker].entries()) {
    expect(client.stream).not.toBe(connections[n]);
    expect(await client.role()).toContain('master');
  }
});

test('after a failover every client is on the new master, which has all that was accepted', async () => {
  const functions = await functionsOn(sentinel.setup, 'failover', stack);
  const worker = quiet(workerRedis(sentinel.setup));
  const lease = quiet(leaseRedis(sentinel.setup));
  const watch = quiet(watchRedis(sentinel.setup));
  const heard: string[] = [];
  watch.on('message', (_channel: string, text: string) => heard.push(text));
  await watch.subscribe('channel');
  await untilReady(lease, 5_000);
  const epoch = await nextEpoch(lease, 'bot');
  const accepted: string[] = [];
  const answers = new Set<number>();
  const over = new AbortController();
  const submitting = (async () => {
    while (!over.signal.aborted) {
      const { status: code, id } = await submit(functions);
      answers.add(code);
      if (code === 202) accepted.push(id as string);
      // Or a caller's cap would be reached before the failover is over.
      await sleep(10);
    }
  })();
  await vi.waitUntil(() => accepted.length > 20, { timeout: 10_000, interval: 5 });
  // A command that waits for something, as BullMQ's does.
  const waiting = worker.bzpopmin(`${KEY_PREFIX}:list`, 0);
  const master = await sentinel.master();
  await master.kill();
  const next = clientOf(await sentinel.failedOver(master));
  const before = accepted.length;
  await vi.waitUntil(() => accepted.length > before, { timeout: 10_000, interval: 5 });
  over.abort();
  await submitting;
  expect([...answers].filter((code) => code !== 202 && code !== 503)).toEqual([]);
  for (const id of accepted) {
    expect(await status(functions, id)).toMatchObject({ status: 'queued', source: ipynb() });
  }
  await next.zadd(`${KEY_PREFIX}:list`, 1, 'member');
  expect(await waiting).toContain('member');
  await untilReady(lease, 5_000);
  expect(await nextEpoch(lease, 'bot')).toBeGreaterThan(epoch);
  await vi.waitUntil(async () => (await next.publish('channel', 'said')) === 1, {
    interval: 20,
    timeout: 5_000,
  });
  await vi.waitUntil(() => heard.includes('said'), { timeout: 5_000 });
  await master.start();
});

test('a master that does not answer any more is left as soon as the sentinels have replaced it', async () => {
  const functions = await functionsOn(sentinel.setup, 'frozen', stack);
  const { id } = await submit(functions);
  const lease = quiet(leaseRedis(sentinel.setup));
  await untilReady(lease, 5_000);
  const master = await sentinel.master();
  master.freeze();
  try {
    // Their connections stay open: only that no answer comes tells.
    const lost = lease.get('key').catch((error: Error) => error.message);
    await sentinel.failedOver(master);
    expect(await lost).toMatch(/timed out|closed/);
    await vi.waitUntil(async () => (await submit(functions)).status === 202, {
      timeout: 10_000,
      interval: 50,
    });
    expect(await status(functions, id as string)).toMatchObject({ status: 'queued' });
    await vi.waitUntil(() => lease.set('key', 'v', 'EX', 60).catch(() => false), { timeout: 10_000 });
  } finally {
    master.thaw();
  }
});
