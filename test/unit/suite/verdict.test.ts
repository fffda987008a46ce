import { describe, expect, test } from 'vitest';
import type { NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { notebookSource } from '../../../suite/source/notebook-source.ts';
import { judge } from '../../../suite/verdict.ts';

/** A notebook as Jupyter writes it: each line of a cell's source is a line of the file. */
const text = (cells: object[], indent = 1): string =>
  JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, undefined, indent);
const code = (source: string | string[], more: object = {}) => ({
  cell_type: 'code',
  execution_count: null,
  id: 'x',
  metadata: {},
  outputs: [],
  source,
  ...more,
});
const markdown = { cell_type: 'markdown', id: 'm', metadata: {}, source: ['# Title'] };
const injected = code('n = 1', { metadata: { tags: ['injected-parameters'] }, execution_count: 1 });

const CELLS = [markdown, code(['a = 1\n', 'b = 2']), code(['c = 3\n', '\n', 'c / 0'])];
const source = notebookSource(text(CELLS));
const lineWith = (part: string) =>
  text(CELLS)
    .split('\n')
    .findIndex((line) => line.includes(part)) + 1;

const ended = (more: Partial<NotebookResponse>): NotebookResponse => ({
  job_id: 'nbexec-1',
  kernel_name: 'lsst',
  enqueue_time: '2026-01-01T00:00:00Z',
  status: 'complete',
  self_url: 'https://data.example.org/noteburst/v1/notebooks/nbexec-1',
  timeout: 300,
  phase: 'completed',
  ...more,
});
const raised = (more: Partial<NotebookResponse> = {}) =>
  ended({
    success: true,
    ipynb_error: { name: 'ZeroDivisionError', message: 'division by zero' },
    traceback: [
      '\u001B[31mZeroDivisionError\u001B[39m Traceback',
      '\u001B[36mCell In[2]\u001B[39m\u001B[32m, line 3\u001B[39m\n      1 c = 3\n----> 3 c / 0',
      'ZeroDivisionError: division by zero',
    ],
    ipynb: text([markdown, code('a', { execution_count: 1 }), code('c', { execution_count: 2 })]),
    progress: { cells_done: 2, cells_total: 2 },
    ...more,
  });

describe('a job that ended', () => {
  test('well has passed', () => {
    expect(judge(ended({ success: true }), source)).toEqual({ verdict: 'passed' });
  });

  test('with an exception has failed, at a line of the file', () => {
    expect(judge(raised(), source)).toMatchObject({
      verdict: 'failed',
      failure: {
        reason: 'exception',
        name: 'ZeroDivisionError',
        message: 'division by zero',
        place: { cell: 2, cell_line: 3, file_line: lineWith('c / 0') },
      },
    });
  });

  test('with an exception in a cell behind injected parameters names the cell of the file', () => {
    const cells = [markdown, injected, code('a', { execution_count: 2 }), code('c', { execution_count: 3 })];
    const job = raised({
      ipynb: text(cells),
      progress: { cells_done: 3, cells_total: 3 },
      traceback: ['Cell In[3], line 1'],
    });
    expect(judge(job, source).failure?.place).toEqual({
      cell: 2,
      cell_line: 1,
      file_line: lineWith('c = 3'),
    });
  });

  test('in the injected parameters themselves is at no line of the file', () => {
    const cells = [markdown, injected, code('a'), code('c')];
    const job = raised({ ipynb: text(cells), progress: { cells_done: 1, cells_total: 3 } });
    expect(judge(job, source).failure).not.toHaveProperty('place');
  });

  test('deep in a function of another cell is told at the line that called it', () => {
    const traceback = ['Cell In[2], line 1\n----> 1 f()', 'Cell In[1], line 7, in f()\n----> 7 boom'];
    expect(judge(raised({ traceback }), source).failure?.place).toMatchObject({ cell: 2, cell_line: 1 });
  });

  test('with an exception is told at its cell by a service that counts no cells', () => {
    const output = { output_type: 'error', ename: 'E', evalue: '', traceback: [] };
    const expectedError = code('x', { outputs: [output], metadata: { tags: ['raises-exception'] } });
    const { progress, ...job } = raised({
      ipynb: text([markdown, expectedError, code('c', { outputs: [output] })]),
    });
    expect(progress).toBeDefined();
    expect(judge(job, source).failure?.place?.cell).toBe(2);
  });

  test('of a notebook that has its cells in one line is told at the cell', () => {
    const flat = notebookSource(text([code('a'), code('b\nc')], 1).replaceAll('"b\\nc"', '"b\\nc"'));
    const job = raised({ ipynb: text([code('a'), code('b')]), traceback: ['Cell In[2], line 2'] });
    const place = judge(job, flat).failure?.place;
    expect(place).toMatchObject({ cell: 1, cell_line: 2 });
    expect(place?.file_line).toBe(flat.lineOf(1));
  });

  test('at its timeout has failed, where it was', () => {
    const error = { code: 'timeout', reason: 'cell_timeout', message: 'too long', cell_index: 1 } as const;
    const job = ended({ success: false, error, partial_ipynb: text(CELLS) });
    expect(judge(job, source)).toMatchObject({
      verdict: 'failed',
      failure: {
        reason: 'cell_timeout',
        message: 'too long',
        place: { cell: 1, file_line: source.lineOf(1) },
      },
    });
  });

  test.each(['lab_lost', 'executor_lost', 'expired'] as const)(
    'for %s says nothing of the notebook',
    (reason) => {
      const job = ended({ success: false, error: { code: 'unknown', reason, message: 'm' } });
      expect(judge(job, source)).toMatchObject({ verdict: 'error', failure: { reason } });
    },
  );

  test('with no reason, as Noteburst 0.27 ends one, does not either, but a timeout does', () => {
    expect(judge(ended({ success: false, error: { code: 'jupyter_error' } }), source).verdict).toBe('error');
    expect(judge(ended({ success: false, error: { code: 'timeout' } }), source).verdict).toBe('failed');
  });

  test('by a cancel is cancelled', () => {
    const error = { code: 'unknown', reason: 'cancelled' } as const;
    expect(judge(ended({ success: false, error }), source)).toEqual({ verdict: 'cancelled' });
  });
});

describe('a notebook that is expected to fail', () => {
  const reason = 'waits for DM-1';

  test('does', () => {
    expect(judge(raised(), source, { reason }).verdict).toBe('expected_failure');
    expect(judge(raised(), source, { reason, error: 'ZeroDivisionError' }).verdict).toBe('expected_failure');
  });

  test('does not, or otherwise: then the suite fails', () => {
    expect(judge(ended({ success: true }), source, { reason })).toMatchObject({
      verdict: 'unexpected_pass',
      failure: { message: expect.stringContaining(reason) as string },
    });
    expect(judge(raised(), source, { reason, error: 'NameError' }).verdict).toBe('failed');
  });
});
