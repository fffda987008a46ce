import { afterAll, beforeAll, expect, test } from 'vitest';
import { NoSuchKernelError } from '../../../workers/executor/lab/errors.ts';
import { isKernelDeath, type RubinExecution } from '../../../workers/executor/lab/rubin-execution.ts';
import { SPAWN_MS, TestLab } from '../../support/started-lab.ts';

/** The real handler of rsp-jupyter-extensions; no test here may open a websocket in this lab. */
const signal = new AbortController().signal;
let lab: TestLab;
let execution: RubinExecution;

beforeAll(async () => {
  lab = await TestLab.start();
  execution = lab.started.rubinExecution;
}, SPAWN_MS);
afterAll(() => lab[Symbol.asyncDispose](), SPAWN_MS);

function ipynb(...sources: string[]): string {
  const cells = sources.map((source, n) => ({
    cell_type: 'code',
    id: `c${n}`,
    metadata: {},
    source,
    outputs: [],
    execution_count: null,
  }));
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
}

const outputs = (text: string) =>
  (JSON.parse(text) as { cells: { outputs: unknown[] }[] }).cells.map((c) => c.outputs);

test('runs a notebook', async () => {
  const { ipynb: executed, error } = await execution.run(ipynb('print("å")', '1 + 1'), 'python3', signal);
  expect(error).toBeUndefined();
  expect(outputs(executed)).toMatchObject([
    [{ output_type: 'stream', text: ['å\n'] }],
    [{ output_type: 'execute_result', data: { 'text/plain': ['2'] } }],
  ]);
});

test('gives an exception with the notebook as far as it came', async () => {
  const { ipynb: executed, error } = await execution.run(ipynb('1/0', 'print("no")'), 'lsst', signal);
  expect(error).toMatchObject({ ename: 'ZeroDivisionError', evalue: 'division by zero' });
  expect(outputs(executed)).toMatchObject([[{ output_type: 'error' }], []]);
});

test('tells a kernel that died from an exception', async () => {
  const { error } = await execution.run(ipynb('import os; os._exit(1)'), 'python3', signal);
  expect(error && isKernelDeath(error)).toBe(true);
});

test('says which kernel the lab does not have', async () => {
  await expect(execution.run(ipynb('1'), 'fortran-iv', signal)).rejects.toBeInstanceOf(NoSuchKernelError);
});

test('runs one notebook after the other, and goes on when a waiting one is given up', async () => {
  const stop = new AbortController();
  const first = execution.run(ipynb('import time; time.sleep(1); print(time.time())'), 'python3', signal);
  const second = execution.run(ipynb('1'), 'python3', stop.signal);
  const third = execution.run(ipynb('import time; print(time.time())'), 'python3', signal);
  stop.abort(new Error('cancelled'));
  await expect(second).rejects.toThrow('cancelled');
  const times = [await first, await third].map(({ ipynb }) => {
    const [[output]] = outputs(ipynb) as [[{ text: string[] }]];
    return Number(output.text[0]);
  });
  expect(times[1]).toBeGreaterThan(times[0] as number);
});
