import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import type { ManagedProcess } from '../../platform/process/managed-process.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { platform } from '../support/platform.ts';
import { Receiver } from '../support/receiver.ts';
import { Stack } from '../support/stack.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

let ca: PrivateCa;
let receiver: Receiver;
let stack: Stack;
let courier: ManagedProcess;

beforeAll(async () => {
  ca = await PrivateCa.make();
  receiver = await Receiver.start(ca);
  stack = await Stack.start({
    functionEnv: { NOTEBURST_CALLBACK_ALLOWED_HOSTS: receiver.host },
    // So that a job waits as long as another runs.
    executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '1' },
  });
  const executor = await stack.startExecutor();
  await startCourier();
  await executor.ready();
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  ca[Symbol.dispose]();
});

async function startCourier(): Promise<void> {
  courier = await stack.startCourier({ NODE_EXTRA_CA_CERTS: ca.path });
}

const submit = (source = 'print(6 * 7)') =>
  stack.submit(ipynb({ cells: [codeCell(source)] }), { callback: receiver.callback });
const told = (id: string, timeoutMs = 30_000): Promise<NotebookResponse> =>
  stack.until(id, ({ callback }) => callback?.state === 'delivered', { timeoutMs });
const messagesOf = (id: string) => receiver.received.filter(({ id: of }) => of === `msg_${id}`);

test('a notebook runs, and whoever asked is told of its end, once and signed', async () => {
  const id = await submit();
  expect((await stack.job(id)).callback).toMatchObject({ state: expect.stringMatching(/waiting|deliver/) });
  const job = await told(id);
  expect(job.callback).toEqual({
    url: receiver.url.split('?')[0],
    events: ['job.completed', 'job.aborted', 'job.failed'],
    state: 'delivered',
    attempts: 1,
    last_attempt_time: expect.any(String),
    last_status: 204,
  });
  const [{ message } = { message: undefined }, ...others] = messagesOf(id);
  expect(others).toEqual([]);
  const { callback: _, ipynb: executed, ...rest } = job;
  expect(executed).toContain('42');
  expect(message).toEqual({ type: 'job.completed', timestamp: job.finish_time, data: rest });
  expect(receiver.refused).toEqual([]);
});

test('a receiver that is away is told when it is back', async () => {
  await receiver.down();
  const id = await submit();
  const failing = await stack.until(id, ({ callback }) => (callback?.attempts ?? 0) > 0);
  expect(failing.callback).toMatchObject({
    state: 'delivering',
    last_error: 'The receiver could not be reached (ECONNREFUSED)',
  });
  await receiver.up();
  expect((await told(id)).callback?.attempts).toBeGreaterThan(1);
  expect(messagesOf(id)).toHaveLength(1);
});

test('a courier that is killed while it sends has another send the same', async () => {
  const { answer } = receiver;
  receiver.answer = () => undefined;
  const before = receiver.received.length;
  const id = await submit();
  await receiver.until(before + 1);
  courier.kill('SIGKILL');
  await courier.exited;
  receiver.answer = answer;
  await startCourier();
  await told(id);
  const ids = messagesOf(id);
  expect(ids).toHaveLength(2);
  expect(ids[0]?.message).toEqual(ids[1]?.message);
});

test('SIGTERM lets what is being sent end, and what comes then waits for the next courier', async () => {
  const { answer } = receiver;
  let release = () => {};
  receiver.answer = (response) => void (release = () => void response.writeHead(204).end());
  const before = receiver.received.length;
  const first = await submit();
  await receiver.until(before + 1);
  courier.kill('SIGTERM');
  await stack.until(first, () => courier.logTail().includes('"stopping"'));
  receiver.answer = answer;
  const second = await submit();
  await stack.untilComplete(second);
  release();
  await courier.exited;
  expect(courier.end).toBe('exit code 0');
  expect((await stack.job(first)).callback).toMatchObject({ state: 'delivered', attempts: 1 });
  expect((await stack.job(second)).callback).toMatchObject({ state: 'delivering', attempts: 0 });
  await startCourier();
  await told(second);
});

test('a cancelled job is told of, and one that nobody may run', async () => {
  const running = await submit('import time; time.sleep(60)');
  await stack.until(running, ({ phase }) => phase === 'running');
  await stack.fetch('status', `/v1/notebooks/${running}`, { method: 'DELETE' });
  await told(running);
  expect(messagesOf(running)[0]?.message).toMatchObject({ type: 'job.aborted' });

  // As its executors died over it before.
  const redis = new Redis(platform().redisUrl);
  const blocked = await submit('import time; time.sleep(2)');
  const lost = await submit();
  await redis.hset(`{noteburst}:${stack.queueName}:${lost}`, 'stc', 5).finally(() => redis.disconnect());
  await Promise.all([told(blocked), told(lost)]);
  expect(messagesOf(lost)[0]?.message).toMatchObject({
    type: 'job.failed',
    data: { error: { reason: 'executor_lost' } },
  });
});

test('nothing secret is in any log', async () => {
  await using other = await Stack.start({ functionEnv: { NOTEBURST_CALLBACK_ALLOWED_HOSTS: '' } });
  await expect(other.submit(ipynb(), { callback: receiver.callback })).rejects.toThrow('host_not_allowed');
  for (const process of [courier, stack.function('submit'), stack.function('status')]) {
    const log = process.logTail(Infinity);
    expect(log).toContain('listening');
    expect(log).not.toContain(receiver.secret.slice(6));
    expect(log).not.toContain('query-canary');
  }
});
