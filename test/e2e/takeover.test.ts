import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Executor } from '../../platform/services/product.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

// Short, so that a takeover takes seconds; the defaults are 30 s each.
const LEASE_TTL_MS = 6_000;
const JOB_LOCK_MS = 3_000;

let stack: Stack;
let first: Executor;
let second: Executor;
beforeAll(async () => {
  stack = await Stack.start({
    executorEnv: {
      NOTEBURST_WORKER_LEASE_TTL_SECONDS: String(LEASE_TTL_MS / 1_000),
      NOTEBURST_WORKER_LOCK_SECONDS: String(JOB_LOCK_MS / 1_000),
    },
  });
  first = await stack.startExecutor();
  await first.ready();
  second = await stack.startExecutor();
});
afterAll(() => stack[Symbol.asyncDispose]());

const logOf = ({ process }: Executor): Record<string, unknown>[] =>
  process
    .logTail(1_000)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const stateOf = async (executor: Executor): Promise<unknown> =>
  ((await (await fetch(`${executor.healthUrl}/ready`)).json()) as { state: unknown }).state;

test('an executor without an identity waits, alive but not ready', async () => {
  await expect.poll(() => stateOf(second).catch(() => undefined), { timeout: 10_000 }).toBe('waiting');
  expect((await fetch(`${second.healthUrl}/live`)).status).toBe(200);
  expect((await fetch(`${second.healthUrl}/ready`)).status).toBe(503);
});

test('takes over when the holder is killed, stops its lab first, and its job is run again and ends once', async () => {
  // The first run says so in a file and waits to be killed; the second finds the file and ends.
  const source = `
import pathlib, time
runs = pathlib.Path.home() / "runs.txt"
runs.write_text((runs.read_text() if runs.exists() else "") + "run\\n")
if runs.read_text().count("run") == 1:
    time.sleep(600)
print(runs.read_text().count("run"))`;
  const id = await stack.submit(ipynb({ cells: [codeCell('1'), codeCell(source)] }));
  await stack.until(id, ({ progress }) => progress?.current_cell === 1);
  const killedAtMs = Date.now();
  first.process.kill('SIGKILL');
  await first.process.exited;

  await second.ready();
  const log = logOf(second);
  const acquired = log.find(({ to }) => to === 'fencing');
  expect(Date.parse(String(acquired?.['time'])) - killedAtMs).toBeLessThan(LEASE_TTL_MS + 2_000);
  const stopped = log.findIndex(({ msg }) => msg === 'stopped a leftover lab');
  const spawned = log.findIndex(({ msg }) => msg === 'spawning a lab');
  expect(stopped).toBeGreaterThan(-1);
  expect(stopped).toBeLessThan(spawned);

  const job = await stack.untilComplete(id, { timeoutMs: 30_000 });
  expect(job).toMatchObject({ success: true });
  expect(job.ipynb).toContain('"text":"2\\n"');
  const ends = logOf(second).filter(({ msg, job_id }) => msg === 'job ended' && job_id === id);
  expect(ends).toHaveLength(1);
});
