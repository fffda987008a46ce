import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import { printed } from '../support/job-events.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

/** A kernel's death as callers see it; run for each kind of lab by `npm run test:kinds`. */
const NOTICED_MS = 3_000;
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
  await (await stack.startExecutor({ NOTEBURST_WORKER_WARM_KERNEL: 'python3' })).ready();
});
afterAll(() => stack[Symbol.asyncDispose]());

const submit = (...cells: string[]) =>
  stack.submit(ipynb({ cells: cells.map(codeCell) }), { kernel_name: 'python3' });

const cellsOf = ({ ipynb, partial_ipynb }: NotebookResponse) =>
  parseNotebook(ipynb ?? partial_ipynb ?? '').cells as CodeCell[];

// A kernel sends what it prints from a thread of its own, which a sudden death takes with it.
const LAST_WORDS_MS = 300;
/** Tells the process's id and the time in ms, some moments before the death that comes behind it. */
const DYING = `import os, time
print(os.getpid(), flush=True)
print(time.time() * 1000, flush=True)
time.sleep(${LAST_WORDS_MS / 1_000})
`;

const DIED = {
  success: false,
  phase: 'failed',
  attempts: 1,
  error: { code: 'jupyter_error', reason: 'kernel_died', cell_index: 1 },
  progress: { cells_total: 3 },
};

function expectNoticed(job: NotebookResponse, diedAtMs: number): void {
  expect(job).not.toHaveProperty('ipynb_error');
  expect(job).not.toHaveProperty('ipynb');
  expect(Date.parse(job.finish_time ?? '') - diedAtMs).toBeLessThan(NOTICED_MS);
  const [before, , after] = cellsOf(job);
  expect(before?.outputs).toEqual([{ output_type: 'stream', name: 'stdout', text: 'kept\n' }]);
  // The lab has started another kernel in its place by now: nothing may have run there.
  expect(after).toMatchObject({ outputs: [], execution_count: null });
}

async function expectNextIsWell(): Promise<void> {
  const next = await stack.untilComplete(await submit('print("x" in globals())'), { timeoutMs: 10_000 });
  expect(next).toMatchObject({ success: true, attempts: 1 });
  expect(cellsOf(next)[0]?.outputs).toMatchObject([{ text: 'False\n' }]);
}

describe('a kernel that dies in the middle of a cell ends the job within 3 s, with what there was', () => {
  test.each([
    ['os._exit(1)', 'os._exit(1)'],
    ['kill -9 of itself', 'os.kill(os.getpid(), 9)'],
    [
      'out of a thread, while the cell sleeps',
      'import threading; threading.Timer(0.2, os._exit, [1]).start(); time.sleep(60)',
    ],
  ])('%s', async (_, death) => {
    const id = await submit('x = 1; print("kept")', DYING + death, 'x');
    const saidAtMs = Number((await printed(stack, id, /^\d+\.\d+$/m))[0]);
    const job = await stack.untilComplete(id, { timeoutMs: 10_000 });
    expect(job).toMatchObject(DIED);
    expectNoticed(job, saidAtMs + LAST_WORDS_MS + (death.includes('Timer') ? 200 : 0));
    await expectNextIsWell();
  });

  test('kill -9 from outside', async () => {
    const id = await submit('x = 1; print("kept")', `${DYING}time.sleep(60)`, 'x');
    const pid = Number((await printed(stack, id, /^(\d+)$/m))[1]);
    const diedAtMs = Date.now();
    process.kill(pid, 'SIGKILL');
    const job = await stack.untilComplete(id, { timeoutMs: 10_000 });
    expect(job).toMatchObject(DIED);
    expectNoticed(job, diedAtMs);
    await expectNextIsWell();
  });

  test('beside others in the same lab, which go on', async () => {
    const other = await submit('import time', 'time.sleep(4)', 'print("over")');
    await stack.until(other, ({ progress }) => progress?.current_cell === 1);
    const id = await submit('import os', 'os._exit(1)');
    expect(await stack.untilComplete(id)).toMatchObject({ error: { reason: 'kernel_died' } });
    expect(await stack.job(other)).toMatchObject({ phase: 'running' });
    expect(await stack.untilComplete(other)).toMatchObject({ success: true, attempts: 1 });
  });
});

test.each([
  ['raise SystemExit(3)', 'SystemExit'],
  ['raise KeyboardInterrupt', 'KeyboardInterrupt'],
  ['raise RuntimeError("The kernel died")', 'RuntimeError'],
  ['input("name? ")', 'StdinNotImplementedError'],
])('%s is the notebook’s own end, not the kernel’s', async (code, name) => {
  const job = await stack.untilComplete(await submit('print("kept")', code, '"never"'));
  expect(job).toMatchObject({ success: true, ipynb_error: { name } });
  expect(job).not.toHaveProperty('error');
  expect(cellsOf(job)[1]?.outputs).toContainEqual(
    expect.objectContaining({ output_type: 'error', ename: name }),
  );
  expect(cellsOf(job)[2]).toMatchObject({ outputs: [], execution_count: null });
});
