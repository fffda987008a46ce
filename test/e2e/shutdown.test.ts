import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { platform } from '../support/platform.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
let bot: string;
beforeAll(async () => {
  stack = await Stack.start();
  bot = stack.identities[0] as string;
});
afterAll(() => stack[Symbol.asyncDispose]());

/** What an executor must not leave behind. */
async function left(): Promise<{ tokens: number; lease: number; lab: number }> {
  const { gafaelfawrUrl, adminToken, redisUrl, originUrl } = platform();
  const gafaelfawr = new Gafaelfawr(gafaelfawrUrl, adminToken);
  const tokens = (await gafaelfawr.listTokens(bot)).length;
  const redis = new Redis(redisUrl);
  const lease = await redis.exists(`{noteburst}:lease:${bot}`).finally(() => redis.disconnect());
  const expires = new Date(Date.now() + 60_000);
  const token = await gafaelfawr.createServiceToken({ username: bot, scopes: ['exec:notebook'], expires });
  const lab = await fetch(`${originUrl}/nb/user/${bot}/api/status`, {
    headers: { Authorization: `Bearer ${token}` },
    redirect: 'manual',
  });
  for (const { key } of await gafaelfawr.listTokens(bot)) await gafaelfawr.deleteToken(bot, key);
  // The hub answers for a lab that is not there: 424 to an API call, a redirect to a browser.
  return { tokens, lease, lab: lab.status === 200 ? 1 : 0 };
}

/** Tells in a file of the bot's home that it began, and sleeps only the first time. */
const longTheFirstTime = (seconds: number) =>
  codeCell(`
import pathlib, time
began = pathlib.Path.home() / "began-${seconds}"
if not began.exists():
    began.touch()
    time.sleep(${seconds})
print("ended")`);

test('SIGTERM while a notebook runs: it goes back to the queue, and lab, token and lease are gone', async () => {
  const executor = await stack.startExecutor({ NOTEBURST_WORKER_GRACE_SECONDS: '1' });
  await executor.ready();
  const id = await stack.submit(ipynb({ cells: [codeCell('1'), longTheFirstTime(60)] }));
  await stack.until(id, ({ progress }) => progress?.current_cell === 1);
  executor.process.kill('SIGTERM');
  await executor.process.exited;
  expect(executor.process.end).toBe('exit code 0');
  expect(await stack.job(id)).toMatchObject({ status: 'queued' });
  expect(await left()).toEqual({ tokens: 0, lease: 0, lab: 0 });
});

test('SIGTERM lets what is nearly done end, and takes nothing more', async () => {
  const executor = await stack.startExecutor({ NOTEBURST_WORKER_GRACE_SECONDS: '30' });
  await executor.ready();
  const id = await stack.submit(ipynb({ cells: [codeCell('1'), longTheFirstTime(3)] }));
  await stack.until(id, ({ progress }) => progress?.current_cell === 1);
  executor.process.kill('SIGTERM');
  await expect.poll(() => executor.process.logTail(50)).toContain('"to":"draining"');
  const late = await stack.submit(ipynb());
  await executor.process.exited;
  expect(await stack.job(id)).toMatchObject({ status: 'complete', success: true });
  expect(await stack.job(late)).toMatchObject({ status: 'queued' });
});

test('SIGTERM while the lab spawns leaves no lab, token or lease', async () => {
  const executor = await stack.startExecutor();
  await expect.poll(() => executor.process.logTail(50), { timeout: 20_000 }).toContain('spawn: ');
  executor.process.kill('SIGTERM');
  await executor.process.exited;
  expect(await left()).toEqual({ tokens: 0, lease: 0, lab: 0 });
});

test('the next executor runs what was left in the queue', async () => {
  const executor = await stack.startExecutor();
  await executor.ready();
  await expect
    .poll(() => executor.process.logTail(50).split('"job ended"').length - 1, { timeout: 10_000 })
    .toBe(1);
  executor.process.kill('SIGTERM');
  await executor.process.exited;
});
