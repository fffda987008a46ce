import { describe, expect, test, vi } from 'vitest';
import {
  ConnectionLostError,
  JobCancelledError,
  GiveBackError,
} from '../../../workers/executor/jobs/errors.ts';
import {
  CellTooLargeError,
  KernelDiedError,
  MessageTooLargeError,
  OutputLostError,
  SocketClosedError,
  UnknownKernelError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import type { LeasedKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import { WebsocketBackend } from '../../../workers/executor/backend/websocket-backend.ts';
import { runJob, type RunJobParts } from '../../../workers/executor/run-job.ts';
import { heldJob } from '../../support/held-job.ts';
import { ipynb } from '../../support/notebooks.ts';

type Acquire = () => Promise<LeasedKernel>;

/** A lab whose kernels run a cell as told, and a store that remembers what was put. */
function parts(
  execute: () => Promise<unknown>,
  { acquire, ...changes }: Partial<RunJobParts> & { acquire?: Acquire } = {},
) {
  const kernel = { languageInfo: {}, execute, sendComm: () => true, interrupt: async () => undefined };
  const release = vi.fn(async () => undefined);
  const putResult = vi.fn(async () => undefined);
  const unused = async () => undefined;
  const given: Acquire = async () => kernel as unknown as LeasedKernel;
  const pool = { acquire: acquire ?? given, release, warm: unused, close: unused };
  return {
    pool,
    backend: new WebsocketBackend(pool),
    store: { getSource: async (): Promise<string | undefined> => ipynb(), putResult },
    startWithinSeconds: 60,
    resultTtlSeconds: 60,
    environment: {},
    assertHeld: () => undefined,
    ...changes,
  } as RunJobParts & { pool: typeof pool; store: { putResult: typeof putResult } };
}

const ok = () => Promise.resolve({ reply: { status: 'ok', execution_count: 1 } });
const failing = (error: Error) => async (): Promise<never> => {
  throw error;
};

describe('a job', () => {
  test('that ran leaves its notebook under the id of its attempt, and its kernel is given back', async () => {
    const lab = parts(ok);
    const job = heldJob();
    expect(await runJob(job, lab)).toMatchObject({ result_id: 'attempt-1' });
    expect(lab.store.putResult).toHaveBeenCalledWith('nbexec-1', 'attempt-1', expect.anything(), 60);
    expect(job.seal).toHaveBeenCalledOnce();
    expect(lab.pool.release).toHaveBeenCalledOnce();
  });

  test.each([
    ['waited longer than it may', heldJob({ enqueuedAtMs: Date.now() - 61_000 }), {}],
    [
      'has no notebook any more',
      heldJob(),
      { store: { getSource: async () => undefined, putResult: vi.fn() } },
    ],
  ])('that %s ends as expired without a kernel', async (_, job, changes) => {
    const acquire = vi.fn();
    const outcome = await runJob(job, parts(ok, { ...changes, acquire }));
    expect(outcome.error).toMatchObject({
      code: 'timeout',
      reason: 'expired',
      message: 'The job was not started within 60 s: submit it again',
    });
    expect(acquire).not.toHaveBeenCalled();
  });

  test('for an unknown kernel ends with the list of those there are', async () => {
    const acquire = failing(new UnknownKernelError('cobol', ['lsst', 'python3']));
    const outcome = await runJob(heldJob(), parts(ok, { acquire }));
    expect(outcome.error).toMatchObject({
      reason: 'unknown_kernel',
      message: 'The lab has no kernel named "cobol". Available kernels: lsst, python3',
    });
  });

  test.each([
    ['kernel_died', new KernelDiedError('its process is gone')],
    ['invalid_notebook', new CellTooLargeError(11_000_000, 10_000_000)],
    ['output_limit', new MessageTooLargeError(300_000_000)],
  ])('ends as %s when that is what happened, and keeps the notebook so far', async (reason, error) => {
    const lab = parts(failing(error));
    const outcome = await runJob(heldJob(), lab);
    expect(outcome).toMatchObject({ result_id: 'attempt-1', error: { reason, cell_index: 0 } });
    expect(lab.store.putResult).toHaveBeenCalledOnce();
  });

  test.each([
    ['the connection to the kernel fails', parts(failing(new SocketClosedError(1006, '')))],
    ['the lab gives no kernel', parts(ok, { acquire: failing(new Error('no memory')) })],
  ])('goes back to the queue when %s, with nothing written', async (_, lab) => {
    const job = heldJob();
    await expect(runJob(job, lab)).rejects.toThrow(GiveBackError);
    expect(lab.store.putResult).not.toHaveBeenCalled();
    expect(job.seal).not.toHaveBeenCalled();
  });

  test('goes back as having lost its connection when the lab lives and only output is lost', async () => {
    await expect(runJob(heldJob(), parts(failing(new OutputLostError())))).rejects.toThrow(
      ConnectionLostError,
    );
  });

  test.each([new OutputLostError(), new SocketClosedError(1006, '')])(
    'that may not be rerun ends with the notebook so far when the connection to its kernel fails: %s',
    async (error) => {
      const lab = parts(failing(error));
      const outcome = await runJob(heldJob({ data: { ...heldJob().data, enable_retry: false } }), lab);
      expect(outcome).toMatchObject({
        result_id: 'attempt-1',
        error: { reason: 'lab_lost', cell_index: 0, message: expect.stringContaining('enable_retry') },
      });
      expect(lab.store.putResult).toHaveBeenCalledOnce();
    },
  );

  test('that may not be rerun goes back, too, when a fault of ours broke its run', async () => {
    const job = heldJob({ data: { ...heldJob().data, enable_retry: false } });
    await expect(runJob(job, parts(failing(new TypeError('a bug'))))).rejects.toThrow(GiveBackError);
  });

  test.each([
    ['its end, where one entry is longer', ['Traceback', `${'x'.repeat(9_000)}!`], [`${'x'.repeat(7_999)}!`]],
    ['its last entries', ['a'.repeat(8_000), 'b'.repeat(7_000), 'c'], ['b'.repeat(7_000), 'c']],
  ])('keeps of a traceback %s', async (_, traceback, kept) => {
    const reply = { status: 'error', ename: 'E', evalue: 'v', traceback };
    const outcome = await runJob(
      heldJob(),
      parts(async () => ({ reply })),
    );
    expect(outcome.traceback).toEqual(kept);
  });

  test('writes nothing once the lease is over', async () => {
    const assertHeld = () => {
      throw new Error('the lease is over');
    };
    const lab = parts(ok, { assertHeld });
    await expect(runJob(heldJob(), lab)).rejects.toThrow('the lease is over');
    expect(lab.store.putResult).not.toHaveBeenCalled();
  });

  test('that may not be rerun is marked before its first cell', async () => {
    const order: string[] = [];
    const job = heldJob({
      data: { ...heldJob().data, enable_retry: false },
      markFirstCellStarted: async () => void order.push('marked'),
    });
    const execute = async () => {
      order.push('cell');
      return ok();
    };
    await runJob(job, parts(execute));
    expect(order).toEqual(['marked', 'cell']);
  });

  test.each([
    ['cancelled', new JobCancelledError()],
    ['run_timeout', new Error('its time is over')],
  ])('that ends as %s without a notebook shows none, and says that it is lost', async (reason, cause) => {
    const run = async () => ({
      interrupted: { reason: cause },
      warnings: [],
      [Symbol.dispose]: () => undefined,
    });
    const lab = parts(ok, { backend: { run } });
    const outcome = await runJob(heldJob(), lab);
    expect(outcome).not.toHaveProperty('result_id');
    expect(outcome.error).toMatchObject({ reason, message: expect.stringContaining('lost') });
    expect(lab.store.putResult).not.toHaveBeenCalled();
  });
});
