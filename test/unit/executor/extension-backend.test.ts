import { describe, expect, test, vi } from 'vitest';
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { parseNotebook } from '../../../lib/contract/nbformat.ts';
import { ExtensionBackend } from '../../../workers/executor/backend/extension-backend.ts';
import { JobCancelledError, GiveBackError, JobLockLostError } from '../../../workers/executor/jobs/errors.ts';
import { KernelDiedError, UnknownKernelError } from '../../../workers/executor/kernel/kernel-error.ts';
import {
  JupyterResponseError,
  LabUnusableError,
  NoSuchKernelError,
} from '../../../workers/executor/lab/errors.ts';
import {
  AnswerTooLargeError,
  HandlerFailedError,
  type RubinExecutionResult,
} from '../../../workers/executor/lab/rubin-execution.ts';
import { OutputLimitError } from '../../../workers/executor/notebook/output-budget.ts';
import { heldJob } from '../../support/held-job.ts';
import { codeCell, ipynb, notebook } from '../../support/notebooks.ts';

type Run = (ipynb: string, kernelName: string, signal: AbortSignal) => Promise<RubinExecutionResult>;

/** A lab whose handler does as told. */
function backend(run: Run) {
  const spy = vi.fn(run);
  const kernelLanguages = async () => new Map([['lsst', 'python']]);
  return { run: spy, backend: new ExtensionBackend({ kernelLanguages, run: spy }) };
}

/** The cells of the notebook as nbclient leaves them that it has begun: with timings. */
const executed = (text: string, count: number, outputs: unknown[] = []): string => {
  const sent = parseNotebook(text);
  const cells = sent.cells.map((cell, index) =>
    index < count
      ? {
          ...cell,
          outputs,
          execution_count: index + 1,
          metadata: { execution: { 'iopub.status.busy': `${index}` } },
        }
      : cell,
  );
  return JSON.stringify({ ...sent, cells });
};
const ends = async (text: string): Promise<RubinExecutionResult> => ({ ipynb: executed(text, 1) });
/** As a POST whose answer never comes. */
const hangs: Run = (_, __, signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

const one = parseNotebook(ipynb());

describe('the lab, while its handler runs a notebook,', () => {
  test('is asked nothing else', async () => {
    const end = Promise.withResolvers<RubinExecutionResult>();
    const lab = backend(() => end.promise);
    const running = lab.backend.run(heldJob(), one);
    const call = vi.fn(async () => undefined);
    await lab.backend.ask(call);
    expect(call).not.toHaveBeenCalled();
    end.resolve({ ipynb: executed(ipynb(), 1) });
    await running;
    await lab.backend.ask(call);
    expect(call).toHaveBeenCalledOnce();
  });

  test('has answered whatever it was asked before', async () => {
    const answer = Promise.withResolvers<void>();
    const lab = backend(ends);
    const asked = lab.backend.ask(() => answer.promise);
    const running = lab.backend.run(heldJob(), one);
    await new Promise(setImmediate);
    expect(lab.run).not.toHaveBeenCalled();
    answer.reject(new Error('it did not'));
    await expect(asked).rejects.toThrow('it did not');
    await running;
    expect(lab.run).toHaveBeenCalledOnce();
  });
});

describe('a notebook that is given up', () => {
  test('over its timeout is lost, and the lab is spent', async () => {
    const lab = backend(hangs);
    const job = heldJob({ data: { ...heldJob().data, timeout_seconds: 0.01 } });
    const run = await lab.backend.run(job, one);
    expect(run).not.toHaveProperty('notebook');
    expect(run).toMatchObject({ interrupted: { reason: { name: 'RunTimeout' } } });
    expect(lab.backend.spent.aborted).toBe(true);
  });

  test('by a cancel is lost, and the lab is spent', async () => {
    const cancel = new AbortController();
    const lab = backend(hangs);
    const running = lab.backend.run(heldJob({ cancelled: cancel.signal }), one);
    await vi.waitFor(() => expect(lab.run).toHaveBeenCalled());
    const reason = new JobCancelledError();
    cancel.abort(reason);
    expect(await running).toMatchObject({ interrupted: { reason } });
    expect(lab.backend.spent.aborted).toBe(true);
  });

  test('because its job must be left alone says so, and the lab is spent', async () => {
    const leave = new AbortController();
    const lab = backend(hangs);
    const running = lab.backend.run(heldJob({ signal: leave.signal }), one);
    await vi.waitFor(() => expect(lab.run).toHaveBeenCalled());
    leave.abort(new JobLockLostError());
    await expect(running).rejects.toThrow(JobLockLostError);
    expect(lab.backend.spent.aborted).toBe(true);
  });

  test('before the lab has it costs no lab', async () => {
    const cancel = new AbortController();
    const lab = backend(hangs);
    const data = { ...heldJob().data, enable_retry: false };
    const markFirstCellStarted = async () => cancel.abort(new JobCancelledError());
    const job = heldJob({ data, markFirstCellStarted, cancelled: cancel.signal });
    await expect(lab.backend.run(job, one)).rejects.toThrow(JobCancelledError);
    expect(lab.run).not.toHaveBeenCalled();
    expect(lab.backend.spent.aborted).toBe(false);
  });
});

describe('when the handler gives no notebook', () => {
  test.each([
    ['the connection broke', new LabUnusableError('unreachable', 'reset'), GiveBackError, true],
    ['a proxy gave up waiting', new LabUnusableError('gone', '504'), GiveBackError, true],
    ['it refused', new JupyterResponseError('POST', '/rubin/execution', 500), GiveBackError, false],
    ['the kernel did not start', new HandlerFailedError('RuntimeError'), GiveBackError, false],
    ['it found the kernel missing', new NoSuchKernelError('lsst'), UnknownKernelError, false],
    ['it was too large', new AnswerTooLargeError('33 MiB'), OutputLimitError, false],
  ])('as %s', async (_, error, thrown, spent) => {
    const lab = backend(() => Promise.reject(error));
    await expect(lab.backend.run(heldJob(), one)).rejects.toThrow(thrown);
    expect(lab.backend.spent.aborted).toBe(spent);
  });

  test('as the lab has no such kernel, nothing is sent', async () => {
    const lab = backend(ends);
    const job = heldJob({ data: { ...heldJob().data, kernel_name: 'cobol' } });
    await expect(lab.backend.run(job, one)).rejects.toThrow(UnknownKernelError);
    expect(lab.run).not.toHaveBeenCalled();
  });
});

test('a job that may not be rerun is marked before the notebook is sent', async () => {
  const order: string[] = [];
  const lab = backend(async (text) => {
    order.push('sent');
    return ends(text);
  });
  const markFirstCellStarted = async () => void order.push('marked');
  await lab.backend.run(
    heldJob({ data: { ...heldJob().data, enable_retry: false }, markFirstCellStarted }),
    one,
  );
  expect(order).toEqual(['marked', 'sent']);
});

test('what happened is told when it is known, for the cells that ran', async () => {
  const three = parseNotebook(JSON.stringify(notebook({ cells: ['1', '2', '3'].map(codeCell) })));
  const lines = { output_type: 'stream', name: 'stdout', text: ['a\n', 'b'] };
  const error = {
    ename: 'DeadKernelError',
    evalue: 'Kernel died',
    traceback: 'Traceback (most recent call last):\n',
  };
  const lab = backend(async (text) => ({ ipynb: executed(text, 2, [lines]), error }));
  const events: LiveEvent[] = [];
  const reportProgress = vi.fn();
  const run = await lab.backend.run(heldJob({ tell: (event) => events.push(event), reportProgress }), three);
  expect(reportProgress.mock.calls).toEqual([[{ cells_done: 0, cells_total: 3 }]]);
  const output = { ...lines, text: 'a\nb' };
  expect(events).toEqual([
    { type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 3 },
    { type: 'output', cell_index: 0, output },
    { type: 'cell_finished', cell_index: 0, cells_done: 1, cells_total: 3 },
    { type: 'cell_started', cell_index: 1, cells_done: 1, cells_total: 3 },
    { type: 'output', cell_index: 1, output },
    { type: 'cell_finished', cell_index: 1, cells_done: 2, cells_total: 3 },
  ]);
  expect(run).toMatchObject({ failure: { cell_index: 1 }, progress: { cells_done: 2, cells_total: 3 } });
  expect(run.failure?.error).toBeInstanceOf(KernelDiedError);
  expect(run.notebook?.cells[1]).toMatchObject({ outputs: [output] });
});
