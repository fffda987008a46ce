import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import { codeCell, ipynb, markdownCell } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start({ executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '8' } });
  await (await stack.startExecutor()).ready();
});
afterAll(() => stack[Symbol.asyncDispose]());

const outputsOf = (executed: string | undefined) =>
  parseNotebook(executed ?? '')
    .cells.filter((cell): cell is CodeCell => cell.cell_type === 'code')
    .map((cell) => cell.outputs);

describe('a submitted notebook', () => {
  test('comes back executed, with the fields that v1 clients read', async () => {
    const source = ipynb({
      cells: [markdownCell('# Title'), codeCell('x = 6 * 7\nprint(x)'), codeCell('x')],
    });
    const id = await stack.submit(source);
    const job = await stack.untilComplete(id);
    expect(job).toMatchObject({
      job_id: id,
      status: 'complete',
      success: true,
      kernel_name: 'lsst',
      timeout: 300,
    });
    expect(job.ipynb_error).toBeUndefined();
    expect(job.error).toBeUndefined();
    expect(Date.parse(job.finish_time ?? '')).toBeGreaterThanOrEqual(Date.parse(job.start_time ?? ''));
    expect(outputsOf(job.ipynb)).toEqual([
      [{ output_type: 'stream', name: 'stdout', text: '42\n' }],
      [{ output_type: 'execute_result', execution_count: 2, data: { 'text/plain': '42' }, metadata: {} }],
    ]);
    expect(await stack.job(id, '?source=true')).toMatchObject({ source });
    expect(await stack.job(id, '?result=false')).not.toHaveProperty('ipynb');
  });

  test('runs in the kernel that was asked for', async () => {
    const id = await stack.submit(ipynb({ cells: [codeCell('1')] }), { kernel_name: 'python3' });
    expect(await stack.untilComplete(id)).toMatchObject({ success: true, kernel_name: 'python3' });
  });

  test('that raises is a success with ipynb_error, stops there and keeps the outputs so far', async () => {
    const cells = [codeCell('print("before")'), codeCell('1 / 0'), codeCell('print("after")')];
    const job = await stack.untilComplete(await stack.submit(ipynb({ cells })));
    expect(job).toMatchObject({
      success: true,
      ipynb_error: { name: 'ZeroDivisionError', message: 'division by zero' },
    });
    const [before, failed, after] = outputsOf(job.ipynb);
    expect(before).toEqual([{ output_type: 'stream', name: 'stdout', text: 'before\n' }]);
    expect(failed).toMatchObject([{ output_type: 'error', ename: 'ZeroDivisionError' }]);
    expect(after).toEqual([]);
  });

  test('with an unknown kernel ends at once with the list of those there are', async () => {
    const id = await stack.submit(ipynb(), { kernel_name: 'cobol' });
    expect(await stack.untilComplete(id, { timeoutMs: 3_000 })).toMatchObject({
      success: false,
      error: {
        code: 'jupyter_error',
        reason: 'unknown_kernel',
        message: expect.stringMatching(
          /no kernel named "cobol".*lsst.*python3|no kernel named "cobol".*python3.*lsst/,
        ),
      },
    });
  });

  test('over its timeout ends with what it had until then, and the next one is not affected', async () => {
    const cells = [codeCell('print("done")'), codeCell('import time; time.sleep(60)')];
    const id = await stack.submit(ipynb({ cells }), { timeout: 3 });
    const job = await stack.untilComplete(id, { timeoutMs: 10_000 });
    expect(job).toMatchObject({
      success: false,
      error: { code: 'timeout', reason: 'run_timeout', cell_index: 1 },
    });
    expect(outputsOf(job.partial_ipynb)[0]).toEqual([
      { output_type: 'stream', name: 'stdout', text: 'done\n' },
    ]);
    // Times Square shows whatever comes as ipynb as a good page.
    expect(job).not.toHaveProperty('ipynb');
    const next = await stack.untilComplete(await stack.submit(ipynb()));
    expect(next).toMatchObject({ success: true });
  });

  test('whose kernel dies ends with that reason', async () => {
    const id = await stack.submit(ipynb({ cells: [codeCell('import os; os._exit(1)')] }));
    expect(await stack.untilComplete(id, { timeoutMs: 10_000 })).toMatchObject({
      success: false,
      error: { code: 'jupyter_error', reason: 'kernel_died', cell_index: 0 },
    });
  });

  test('shows its progress while it runs', async () => {
    const cells = [codeCell('1'), codeCell('import time; time.sleep(1.5)'), codeCell('3')];
    const id = await stack.submit(ipynb({ cells }));
    const job = await stack.until(id, ({ progress }) => progress?.current_cell === 1);
    expect(job).toMatchObject({
      status: 'in_progress',
      phase: 'running',
      progress: { cells_done: 1, cells_total: 3, current_cell: 1 },
    });
    expect((await stack.untilComplete(id)).progress).toEqual({ cells_done: 3, cells_total: 3 });
  });

  test('runs beside others: eight that sleep 2 s are done within 4 s', async () => {
    const sleeper = ipynb({
      cells: [codeCell('import time; began = time.time(); time.sleep(2); print(began)')],
    });
    const begun = performance.now();
    const ids = await Promise.all(Array.from({ length: 8 }, () => stack.submit(sleeper)));
    const jobs = await Promise.all(ids.map((id) => stack.untilComplete(id)));
    const tookMs = performance.now() - begun;
    const began = jobs.map((job) => Number(/"text":"([\d.]+)\\n"/.exec(job.ipynb ?? '')?.[1]));
    expect(Math.max(...began) - Math.min(...began)).toBeLessThan(2);
    expect(tookMs).toBeLessThan(4_000);
  });

  test("is another user's nobody's business: 404", async () => {
    const id = await stack.submit(ipynb());
    const response = await stack.fetch('status', `/v1/notebooks/${id}`, {}, 'mallory');
    expect(response.status).toBe(404);
    await stack.untilComplete(id);
  });
});
