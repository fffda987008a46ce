import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import type { LabKind } from '../../platform/state.ts';
import { platform } from '../support/platform.ts';
import { CUT, MAX_GROWTH_BYTES, MeasuredExecutor, outputsOf } from './measured-executor.ts';

let executor: MeasuredExecutor;
beforeAll(async () => {
  executor = await MeasuredExecutor.start();
});
afterAll(() => executor[Symbol.asyncDispose]());

interface Ending {
  title: string;
  check: (job: NotebookResponse) => void;
}

const dropped: Ending = {
  title: 'the lab drops most of it, the job ends well and says so',
  check: (job) => {
    const [printed, last] = outputsOf(job);
    expect(job).toMatchObject({ success: true, warnings: [expect.stringMatching(/rate exceeded/)] });
    expect(JSON.stringify(printed)).toMatch(/IOPub data rate exceeded/);
    expect(last).toMatchObject([{ data: { 'text/plain': "'the end'" } }]);
  },
};

const stopped: Ending = {
  title: 'the lab passes all of it on, the notebook is stopped',
  check: (job) => {
    const [printed, last] = outputsOf(job);
    expect(job).toMatchObject({
      success: false,
      error: { code: 'jupyter_error', reason: 'output_limit', cell_index: 0 },
      warnings: [expect.stringMatching(/output was cut/)],
    });
    expect(JSON.stringify(printed)).toMatch(CUT);
    expect(last).toEqual([]);
  },
};

/** jupyter_server limits the rate of what kernels print, jupyter-server-documents does not. */
const ENDINGS: Partial<Record<LabKind, Ending>> = { std6: dropped, jsd: stopped };
const { title, check } = ENDINGS[platform().kind] as Ending;

test(`of 1 GB of prints ${title}`, async () => {
  const { job, growth } = await executor.runMeasured([
    'line = "x" * 99 + "\\n"\nfor _ in range(1_000):\n    print(line * 10_000, end="")',
    '"the end"',
  ]);
  check(job);
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});

test('of 200 MB of errors that are shown and cleared nothing stays, in the notebook or in memory', async () => {
  const { job, growth } = await executor.runMeasured([
    // Sends what showtraceback does, without the time that it takes to format.
    'from IPython.display import clear_output\nshell = get_ipython()\nerror = ValueError("v")\n' +
      'for n in range(20_000):\n    shell._showtraceback(ValueError, error, [f"{n} " + "x" * 10_000])\n    clear_output()',
    '1 / 0',
  ]);
  expect(job).toMatchObject({ success: true, ipynb_error: { name: 'ZeroDivisionError' } });
  expect(JSON.stringify(outputsOf(job)).length).toBeLessThan(20_000);
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});
