import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KernelDiedError } from '../../workers/executor/kernel/kernel-error.ts';
import { Witness } from '../../workers/executor/kernel/witness.ts';
import { platform } from '../support/platform.ts';
import { Seen, SPAWN_MS, TestLab } from '../support/started-lab.ts';

const NOTICED_MS = 3_000;
const { kind } = platform();
let lab: TestLab;
let witness: Witness;

beforeAll(async () => {
  lab = await TestLab.start();
}, SPAWN_MS);
afterAll(() => lab[Symbol.asyncDispose](), SPAWN_MS);
afterEach(async () => {
  await witness.close();
  await lab.deleteKernels();
});

async function kernel() {
  witness = new Witness(() => lab.kernel());
  return lab.kernel({ processProbe: witness.isRunning });
}

/** @returns how long it took from the kernel's own last sign */
async function noticed(execution: Promise<unknown>, begun: number): Promise<number> {
  await expect(execution).rejects.toThrow(KernelDiedError);
  const ms = performance.now() - begun;
  const error: unknown = await execution.catch((error: unknown) => error);
  console.log(`${kind}: ${(error as Error).message} after ${Math.round(ms)} ms`);
  return ms;
}

describe('a kernel’s death is noticed within 3 s', () => {
  test.each([1, 2, 3, 4])('os._exit (%i)', async () => {
    const it = await kernel();
    expect(await noticed(it.execute('import os; os._exit(1)', new Seen()), performance.now())).toBeLessThan(
      NOTICED_MS,
    );
  });

  test.each([1, 2, 3, 4])('kill -9 in the middle of a cell (%i)', async () => {
    const it = await kernel();
    const seen = new Seen();
    const execution = it.execute('import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)', seen);
    await seen.until('\n');
    process.kill(Number(seen.text()), 'SIGKILL');
    expect(await noticed(execution, performance.now())).toBeLessThan(NOTICED_MS);
  });

  test('and the one the lab starts in its place is not mistaken for it', async () => {
    const it = await kernel();
    await expect(it.execute('x = 1; import os; os._exit(1)', new Seen())).rejects.toThrow(KernelDiedError);
    await new Promise((done) => setTimeout(done, 4_000));
    await expect(it.execute('x', new Seen())).rejects.toThrow(KernelDiedError);
    expect(await it.isAlive(1_000, new AbortController().signal)).toBe(false);
  });
});

test('a kernel that keeps Python’s lock for long is left alone', async () => {
  const it = await kernel();
  const seen = new Seen();
  const begun = performance.now();
  // A call through PyDLL keeps the lock, so that not even the control channel is answered.
  const result = await it.execute('import ctypes; print(ctypes.PyDLL(None).sleep(3))', seen);
  expect(performance.now() - begun).toBeGreaterThan(2_000);
  expect(result).toMatchObject({ reply: { status: 'ok' } });
  expect(seen.text()).toBe('0\n');
});

test('SystemExit and an exception are the notebook’s own', async () => {
  const it = await kernel();
  expect(await it.execute('raise SystemExit(3)', new Seen())).toMatchObject({
    reply: { status: 'error', ename: 'SystemExit' },
  });
  expect(await it.execute('1/0', new Seen())).toMatchObject({ reply: { ename: 'ZeroDivisionError' } });
});
