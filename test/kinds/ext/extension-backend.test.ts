import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from '../../../lib/contract/nbformat.ts';
import { codeCell, ipynb, markdownCell } from '../../support/notebooks.ts';
import { Stack } from '../../support/stack.ts';

/** The main job once more, by an executor that uses the lab's own handler. */
// Each kernel starts for its notebook, and a notebook that is given up costs a new lab.
const RUN = { timeoutMs: 20_000 };
const NEW_LAB = { timeoutMs: 60_000 };

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start({ executorEnv: { NOTEBURST_WORKER_BACKEND: 'extension' } });
  await (await stack.startExecutor()).ready();
});
afterAll(() => stack[Symbol.asyncDispose]());

const sleeper = ipynb({ cells: [codeCell('print("done")'), codeCell('import time; time.sleep(300)')] });

const outputsOf = (executed: string | undefined) =>
  parseNotebook(executed ?? '')
    .cells.filter((cell): cell is CodeCell => cell.cell_type === 'code')
    .map((cell) => cell.outputs);

describe('a submitted notebook', () => {
  test('comes back executed', async () => {
    const cells = [markdownCell('# Title'), codeCell('x = 6 * 7\nprint(x)'), codeCell(''), codeCell('x')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells })), RUN);
    expect(job).toMatchObject({
      success: true,
      kernel_name: 'lsst',
      progress: { cells_done: 2, cells_total: 2 },
      environment: { kernel: 'lsst', lab: stack.identities[0] },
    });
    expect(job.warnings).toBeUndefined();
    expect(outputsOf(job.ipynb)).toEqual([
      [{ output_type: 'stream', name: 'stdout', text: '42\n' }],
      [],
      [{ output_type: 'execute_result', execution_count: 2, data: { 'text/plain': '42' }, metadata: {} }],
    ]);
    expect(parseNotebook(job.ipynb ?? '').cells.map(({ source }) => source)).toEqual(
      cells.map(({ source }) => source),
    );
  });

  test('that raises is a success with ipynb_error, stops there and keeps the outputs so far', async () => {
    const stale = { iopub: 'of an earlier run' };
    const after = { ...codeCell('print("after")'), metadata: { execution: stale } };
    const cells = [codeCell('print("before")'), codeCell('def f():\n    1 / 0\nf()'), after];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells })), RUN);
    expect(job).toMatchObject({
      success: true,
      ipynb_error: { name: 'ZeroDivisionError', message: 'division by zero' },
      progress: { cells_done: 2, cells_total: 3 },
    });
    expect(job.traceback?.length).toBeGreaterThan(2);
    const [before, failed, notReached] = outputsOf(job.ipynb);
    expect(before).toEqual([{ output_type: 'stream', name: 'stdout', text: 'before\n' }]);
    expect(failed).toMatchObject([{ output_type: 'error', ename: 'ZeroDivisionError' }]);
    expect(notReached).toEqual([]);
    expect(parseNotebook(job.ipynb ?? '').cells[2]?.metadata).toEqual({ execution: stale });
  });

  test.each([
    ['a tag of the cell', {}, { tags: ['raises-exception'] }],
    ['allow_errors of the notebook', { allow_errors: true }, {}],
  ])('goes on after an exception that %s allows', async (_, metadata, cellMetadata) => {
    const cells = [{ ...codeCell('1 / 0'), metadata: cellMetadata }, codeCell('print("after")')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells, metadata })), RUN);
    expect(job).toMatchObject({ success: true, progress: { cells_done: 2 } });
    expect(job.ipynb_error).toBeUndefined();
    expect(outputsOf(job.ipynb)[1]).toMatchObject([{ text: 'after\n' }]);
    const { execution: _timings, ...kept } = parseNotebook(job.ipynb ?? '').cells[0]?.metadata ?? {};
    expect(kept).toEqual(cellMetadata);
  });

  test('with an unknown kernel ends at once with the list of those there are', async () => {
    const id = await stack.submit(ipynb(), { kernel_name: 'cobol' });
    const job = await stack.untilComplete(id, { timeoutMs: 3_000 });
    expect(job).toMatchObject({
      success: false,
      error: { code: 'jupyter_error', reason: 'unknown_kernel' },
    });
    expect(job.error?.message).toMatch(/no kernel named "cobol"/);
    expect(job.error?.message).toMatch(/lsst/);
    expect(job.error?.message).toMatch(/python3/);
  });

  test('whose kernel dies ends with that reason, and with what it had until then', async () => {
    const cells = [codeCell('print("done")'), codeCell('import os; os._exit(1)'), codeCell('3')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells })), RUN);
    expect(job).toMatchObject({
      success: false,
      error: { code: 'jupyter_error', reason: 'kernel_died', cell_index: 1 },
    });
    expect(outputsOf(job.partial_ipynb)[0]).toMatchObject([{ text: 'done\n' }]);
  });

  test('gets its parameters', async () => {
    const cells = [{ ...codeCell('alpha = 1'), metadata: { tags: ['parameters'] } }, codeCell('alpha, beta')];
    const id = await stack.submit(ipynb({ cells }), { parameters: { alpha: 2, beta: ['x', null] } });
    const job = await stack.untilComplete(id, RUN);
    expect(job).toMatchObject({ success: true, progress: { cells_done: 3 } });
    expect(outputsOf(job.ipynb)[2]).toMatchObject([{ data: { 'text/plain': "(2, ['x', None])" } }]);
  });

  test('with a cell_timeout runs without it, and says so', async () => {
    const cells = [codeCell('import time; time.sleep(1.5)')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells }), { cell_timeout: 1 }), RUN);
    expect(job).toMatchObject({ success: true, warnings: [expect.stringContaining('cell_timeout')] });
  });

  test('that becomes larger than what is taken of a lab ends for its output, and the lab is kept', async () => {
    const cells = [codeCell('from IPython.display import display, HTML\ndisplay(HTML("x" * 34_000_000))')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells })), RUN);
    expect(job).toMatchObject({ success: false, attempts: 1, error: { reason: 'output_limit' } });
    expect(job).not.toHaveProperty('partial_ipynb');
    const next = await stack.untilComplete(await stack.submit(ipynb()), RUN);
    expect(next).toMatchObject({ success: true });
  });

  test('waits for the one before it', async () => {
    const cells = [codeCell('import time; print(time.time()); time.sleep(1); print(time.time())')];
    const ids = await Promise.all([1, 2].map(() => stack.submit(ipynb({ cells }))));
    const jobs = await Promise.all(ids.map((id) => stack.untilComplete(id, RUN)));
    const times = jobs.map(({ ipynb = '' }) =>
      [...ipynb.matchAll(/"text":"([\d.]+)\\n"/g)].map((m) => Number(m[1])),
    );
    const [[, firstEnd = 0] = [], [secondStart = 0] = []] = times.toSorted(([a = 0], [b = 0]) => a - b);
    expect(firstEnd).toBeGreaterThan(0);
    expect(secondStart).toBeGreaterThan(firstEnd);
  });
});

describe('a notebook that is stopped is lost with its lab, and the next one runs in another', () => {
  const healthy = async () => {
    const cells = [codeCell('import os; print(os.getppid())')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells })), NEW_LAB);
    expect(job).toMatchObject({ success: true, attempts: 1 });
    return outputsOf(job.ipynb)[0]?.[0];
  };

  test('over its timeout', async () => {
    const lab = await healthy();
    const id = await stack.submit(sleeper, { timeout: 2 });
    const job = await stack.untilComplete(id, { timeoutMs: 6_000 });
    expect(job).toMatchObject({
      success: false,
      error: {
        code: 'timeout',
        reason: 'run_timeout',
        message: expect.stringMatching(/timeout of 2 s.*lost/),
      },
      progress: { cells_done: 0, cells_total: 2 },
    });
    expect(job).not.toHaveProperty('ipynb');
    expect(job).not.toHaveProperty('partial_ipynb');
    expect(await healthy()).not.toEqual(lab);
  });

  test('cancelled while it runs: within a second', async () => {
    const id = await stack.submit(sleeper);
    await stack.until(id, ({ phase }) => phase === 'running');
    const begun = performance.now();
    const response = await stack.fetch('status', `/v1/notebooks/${id}`, { method: 'DELETE' });
    expect([200, 202]).toContain(response.status);
    const job = await stack.untilComplete(id);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(job).toMatchObject({
      success: false,
      phase: 'aborted',
      error: { reason: 'cancelled', message: expect.stringContaining('lost') },
    });
    expect(job).not.toHaveProperty('partial_ipynb');
    await healthy();
  });
});

describe('a lab that dies under a notebook', () => {
  // Kills the lab's server, which is the kernel's parent, the first time it runs.
  const killer = ipynb({
    cells: [
      codeCell(`
import os, pathlib, signal, sys
mark = pathlib.Path.home() / 'killed'
if mark.exists():
    mark.unlink()
else:
    mark.touch()
    os.kill(os.getppid(), signal.SIGKILL)
print('done')`),
    ],
  });

  test('is replaced, and the notebook run anew', async () => {
    const job = await stack.untilComplete(await stack.submit(killer, { enable_retry: true }), NEW_LAB);
    expect(job).toMatchObject({ success: true, attempts: 2 });
    expect(outputsOf(job.ipynb)).toMatchObject([[{ text: 'done\n' }]]);
  });

  test('ends a notebook that must not be run twice', async () => {
    const job = await stack.untilComplete(await stack.submit(killer, { enable_retry: false }), NEW_LAB);
    expect(job).toMatchObject({ success: false, error: { reason: 'lab_lost' } });
  });
});
