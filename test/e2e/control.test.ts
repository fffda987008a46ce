import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import { printed } from '../support/job-events.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(() => stack[Symbol.asyncDispose]());

async function cancel(id: string, user = 'alice'): Promise<{ status: number; job: NotebookResponse }> {
  const response = await stack.fetch('status', `/v1/notebooks/${id}`, { method: 'DELETE' }, user);
  return { status: response.status, job: (await response.json()) as NotebookResponse };
}

const outputsOf = (executed: string | undefined) =>
  parseNotebook(executed ?? '')
    .cells.filter((cell): cell is CodeCell => cell.cell_type === 'code')
    .map((cell) => cell.outputs);

const CANCELLED = {
  status: 'complete',
  phase: 'aborted',
  success: false,
  error: { code: 'unknown', reason: 'cancelled' },
};

describe('a job that waits, with no executor alive', () => {
  test('ends at once when it is cancelled, and is not brought back by cancelling again', async () => {
    const id = await stack.submit(ipynb());
    const first = await cancel(id);
    expect(first).toMatchObject({ status: 200, job: CANCELLED });
    expect(first.job).not.toHaveProperty('partial_ipynb');
    const job = await stack.job(id);
    expect(job).toEqual(first.job);
    expect(await cancel(id)).toEqual(first);
  });

  test("is nobody else's to cancel", async () => {
    const id = await stack.submit(ipynb());
    expect((await cancel(id, 'mallory')).status).toBe(404);
    expect(await stack.job(id)).toMatchObject({ status: 'queued' });
    expect((await cancel(id)).status).toBe(200);
  });
});

describe('a job that an executor has', () => {
  beforeAll(async () => {
    await (await stack.startExecutor()).ready();
  });

  test('never runs when it was cancelled while it waited', async () => {
    const blockers = await Promise.all(
      Array.from({ length: 3 }, () =>
        stack.submit(ipynb({ cells: [codeCell('import time; time.sleep(60)')] })),
      ),
    );
    await Promise.all(blockers.map((id) => stack.until(id, ({ phase }) => phase === 'running')));
    const id = await stack.submit(ipynb());
    expect(await cancel(id)).toMatchObject({ status: 200, job: CANCELLED });
    await Promise.all(blockers.map((blocker) => cancel(blocker)));
    const jobs = await Promise.all(blockers.map((blocker) => stack.untilComplete(blocker)));
    for (const job of jobs) expect(job).toMatchObject(CANCELLED);
    expect(await stack.job(id)).toMatchObject(CANCELLED);
  });

  test('ends within a second when it is cancelled in a cell, with what it had until then', async () => {
    const cells = [codeCell('print("done")'), codeCell('import time; time.sleep(60)'), codeCell('3')];
    const id = await stack.submit(ipynb({ cells }));
    await stack.until(id, ({ progress }) => progress?.current_cell === 1);
    const begun = performance.now();
    const answer = await cancel(id);
    expect(answer.status === 202 ? answer.job.phase : 'cancelling').toBe('cancelling');
    const job = await stack.untilComplete(id);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(job).toMatchObject({ ...CANCELLED, error: { cell_index: 1 }, progress: { cells_done: 2 } });
    expect(job.traceback?.join('')).toContain('KeyboardInterrupt');
    expect(outputsOf(job.partial_ipynb)[0]).toEqual([
      { output_type: 'stream', name: 'stdout', text: 'done\n' },
    ]);
    expect(outputsOf(job.partial_ipynb)[1]).toMatchObject([
      { output_type: 'error', ename: 'KeyboardInterrupt' },
    ]);
    expect(await cancel(id)).toEqual({ status: 200, job });
  });

  test('ends as cancelled at whatever moment of its start it is cancelled', async () => {
    const sleeper = ipynb({ cells: [codeCell('import time; time.sleep(60)')] });
    for (let n = 0; n < 60; n++) {
      const id = await stack.submit(sleeper);
      // Around the moment when its kernel gets the cell: an interrupt that comes before it would be ignored.
      await setTimeout((n * 7) % 60);
      const begun = performance.now();
      expect([200, 202]).toContain((await cancel(id)).status);
      expect(await stack.untilComplete(id)).toMatchObject(CANCELLED);
      expect(performance.now() - begun).toBeLessThan(1_000);
    }
  });

  test('ends within a second when the interrupt comes before the code of the cell, so that no reply ever does', async () => {
    // IPython transforms a cell between its execute_input and its code, where ipykernel only logs a KeyboardInterrupt.
    const slow = [
      'import time',
      'def slowly(lines):',
      '    if "".join(lines).strip() == "slow": time.sleep(60)',
      '    return lines',
      'get_ipython().input_transformers_cleanup.append(slowly)',
    ];
    const id = await stack.submit(ipynb({ cells: [codeCell(slow.join('\n')), codeCell('slow')] }));
    await stack.until(id, ({ progress }) => progress?.current_cell === 1);
    const begun = performance.now();
    await cancel(id);
    const job = await stack.untilComplete(id);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(job).toMatchObject({ ...CANCELLED, error: { cell_index: 1 } });
    expect(job).not.toHaveProperty('warnings');
  });

  test('ends within a second when it is cancelled while its kernel starts', async () => {
    // Nobody has used this kernel yet, so that none of it is warm.
    const id = await stack.submit(ipynb(), { kernel_name: 'python3' });
    await stack.until(id, ({ phase }) => phase === 'leasing');
    const begun = performance.now();
    await cancel(id);
    const job = await stack.untilComplete(id);
    expect(job).toMatchObject(CANCELLED);
    expect(job).not.toHaveProperty('progress');
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('stays as it ended when it is cancelled after that', async () => {
    const id = await stack.submit(ipynb());
    const job = await stack.untilComplete(id);
    expect(job).toMatchObject({ success: true, phase: 'completed', attempts: 1 });
    expect(await cancel(id)).toEqual({ status: 200, job });
    expect(await stack.job(id)).toEqual(job);
  });

  test('never shows success when the cancel was accepted, however near its end it came', async () => {
    for (let n = 0; n < 20; n++) {
      const id = await stack.submit(ipynb({ cells: [codeCell('1')] }));
      const { job } = await cancel(id);
      const end = await stack.untilComplete(id);
      const accepted = job.phase === 'cancelling' || job.phase === 'aborted';
      expect(end).toMatchObject(accepted ? CANCELLED : { success: true });
    }
  });
});

describe('a cell that takes longer than its cell_timeout', () => {
  test('is interrupted, and what there was is kept', async () => {
    const cells = [codeCell('print("done")'), codeCell('import time; time.sleep(60)'), codeCell('3')];
    const id = await stack.submit(ipynb({ cells }), { cell_timeout: 0.5 });
    const job = await stack.untilComplete(id, { timeoutMs: 5_000 });
    expect(job).toMatchObject({
      success: false,
      phase: 'failed',
      error: { code: 'timeout', reason: 'cell_timeout', cell_index: 1 },
    });
    expect(job.traceback?.join('')).toContain('KeyboardInterrupt');
    const [first, second, third] = outputsOf(job.partial_ipynb);
    expect(first).toEqual([{ output_type: 'stream', name: 'stdout', text: 'done\n' }]);
    expect(second).toMatchObject([{ output_type: 'error', ename: 'KeyboardInterrupt' }]);
    expect(third).toEqual([]);
  });

  test('is each cell for itself', async () => {
    const cells = Array.from({ length: 4 }, () => codeCell('import time; time.sleep(0.4)'));
    const id = await stack.submit(ipynb({ cells }), { cell_timeout: 1.5 });
    expect(await stack.untilComplete(id)).toMatchObject({ success: true });
  });
});

describe('a cell that ignores the interrupt is killed with its kernel after 5 s of grace', () => {
  const catching = `
while True:
    try:
        time.sleep(0.1)
    except KeyboardInterrupt:
        pass`;
  const deaf = `
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
time.sleep(60)`;
  // One call of C code that keeps Python's lock: not even the control channel is answered.
  const locked = 'sum(range(10**12))';

  // At once, as each of them takes the grace.
  test('whichever way it does, and whatever ends it', async () => {
    const notebook = (code: string) =>
      ipynb({
        cells: ['import os, time; print(os.getpid())', `print("stuck", flush=True)\n${code}`, '3'].map(
          codeCell,
        ),
      });
    const [overdue, late, cancelled] = await Promise.all([
      stack.submit(notebook(catching), { cell_timeout: 1 }),
      stack.submit(notebook(locked), { timeout: 1 }),
      stack.submit(notebook(deaf)),
    ]);
    const pids = await Promise.all(
      [overdue, late, cancelled].map(async (id) => Number((await printed(stack, id, /^(\d+)$/m))[1])),
    );
    const begun = performance.now();
    expect(await cancel(cancelled)).toMatchObject({ status: 202, job: { phase: 'cancelling' } });
    const jobs = await Promise.all(
      [overdue, late, cancelled].map((id) => stack.untilComplete(id, { timeoutMs: 15_000 })),
    );
    expect(performance.now() - begun).toBeGreaterThan(4_900);
    expect(performance.now() - begun).toBeLessThan(8_000);
    expect(jobs.map(({ error }) => error)).toMatchObject([
      { code: 'timeout', reason: 'cell_timeout', cell_index: 1 },
      { code: 'timeout', reason: 'run_timeout', cell_index: 1 },
      { code: 'unknown', reason: 'cancelled', cell_index: 1 },
    ]);
    for (const [n, job] of jobs.entries()) {
      expect(job).toMatchObject({ success: false, attempts: 1 });
      expect(job).not.toHaveProperty('ipynb');
      expect(outputsOf(job.partial_ipynb)).toMatchObject([
        [{ text: `${pids[n]}\n` }],
        // The kernel that keeps the lock does not even get this out.
        n === 1 ? {} : [{ text: 'stuck\n' }],
        [],
      ]);
    }
    const next = await stack.untilComplete(await stack.submit(ipynb()), { timeoutMs: 10_000 });
    expect(next).toMatchObject({ success: true, attempts: 1 });
    for (const pid of pids) await expect.poll(() => isRunning(pid), { timeout: 15_000 }).toBe(false);
  });
});

/** Kernels are processes of this machine. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('what the lab’s rate limits dropped is told in a warning, and the error is not lost with it', async () => {
  // jupyter-server-documents has no such limits.
  const isLimited = inject('labKind') !== 'jsd';
  // The limit is 3 MB in 3 s, counted anew whenever the kernel answers a probe of ours, twice a second.
  const flood = 'for n in range(1000): print("x" * 20_000, flush=True)\n1/0';
  const job = await stack.untilComplete(await stack.submit(ipynb({ cells: [codeCell(flood)] })));
  expect(job).toMatchObject({
    success: true,
    ipynb_error: { name: 'ZeroDivisionError' },
  });
  expect(/rate exceeded/.test(job.warnings?.join() ?? '')).toBe(isLimited);
  expect(outputsOf(job.ipynb)[0]).toContainEqual(expect.objectContaining({ ename: 'ZeroDivisionError' }));
});

test('parameters reach the notebook', async () => {
  const cells = [{ ...codeCell('alpha = 1'), metadata: { tags: ['parameters'] } }, codeCell('alpha, beta')];
  const id = await stack.submit(ipynb({ cells }), { parameters: { alpha: 2, beta: ['x', null] } });
  const job = await stack.untilComplete(id);
  expect(job).toMatchObject({ success: true, progress: { cells_done: 3 } });
  expect(outputsOf(job.ipynb)[2]).toMatchObject([{ data: { 'text/plain': "(2, ['x', None])" } }]);
  expect(job.environment).toMatchObject({ kernel: 'lsst', lab: stack.identities[0], image: 'recommended' });
});
