import { describe, expect, test } from 'vitest';
import { codeCell, ipynb } from '../../support/notebooks.ts';
import { complete, submit, until } from '../support/client.ts';

const STATUSES = ['queued', 'in_progress', 'complete', 'deferred', 'not_found'];
const CODES = ['timeout', 'jupyter_error', 'unknown'];

test('a job goes from queued over in_progress to complete, and says nothing else', async () => {
  const cells = [codeCell('import time; time.sleep(1)')];
  const seen = await until(await submit({ ipynb: ipynb({ cells }) }), ({ status }) => status === 'complete');
  const statuses = [...new Set(seen.map(({ status }) => status))];
  for (const status of statuses) expect(STATUSES).toContain(status);
  expect(statuses.slice(-2)).toEqual(['in_progress', 'complete']);
  for (const { status, ipynb, success } of seen.slice(0, -1)) {
    expect(status).not.toBe('complete');
    expect([ipynb, success]).toEqual([undefined, undefined]);
  }
});

test('a notebook that raises is a success with ipynb_error and what was executed until then', async () => {
  const cells = [codeCell('print("before")'), codeCell('1 / 0'), codeCell('print("after")')];
  const job = await complete(await submit({ ipynb: ipynb({ cells }), enable_retry: false }));
  expect(job).toMatchObject({ success: true, ipynb_error: { name: 'ZeroDivisionError' } });
  expect(job.ipynb_error?.message).toEqual(expect.any(String));
  expect(job).not.toHaveProperty('error');
  const executed = JSON.parse(job.ipynb ?? '') as {
    cells: { outputs: { ename?: string; text?: string }[] }[];
  };
  const [before, failed, after] = executed.cells.map(({ outputs }) => outputs);
  expect(before?.[0]).toMatchObject({ text: 'before\n' });
  expect(failed?.at(-1)).toMatchObject({ output_type: 'error', ename: 'ZeroDivisionError' });
  expect(after).toEqual([]);
});

describe('a run that does not come to its end is no success, and shows no notebook', () => {
  test('over its timeout: error.code is timeout', async () => {
    const cells = [codeCell('import time; time.sleep(60)')];
    const job = await complete(await submit({ ipynb: ipynb({ cells }), timeout: 1, enable_retry: false }));
    expect(job).toMatchObject({ success: false, timeout: 1, error: { code: 'timeout' } });
    expect(job.error?.message).toEqual(expect.any(String));
    expect(job).not.toHaveProperty('ipynb');
    // Times Square computes with both.
    expect(Date.parse(job.finish_time ?? '')).toBeGreaterThanOrEqual(Date.parse(job.start_time ?? ''));
  });

  test('in a kernel that the lab does not have', async () => {
    const job = await complete(await submit({ ipynb: ipynb(), kernel_name: 'cobol', enable_retry: false }));
    expect(job).toMatchObject({ success: false, kernel_name: 'cobol' });
    expect(CODES).toContain(job.error?.code);
    expect(job).not.toHaveProperty('ipynb');
  });
});
