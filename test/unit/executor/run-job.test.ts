import { describe, expect, test, vi } from 'vitest';
import type { NbexecJobData } from '../../../lib/contract/nbexec-job.ts';
import {
  CellTooLargeError,
  KernelDiedError,
  MessageTooLargeError,
  SocketClosedError,
  UnknownKernelError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import type { LeasedKernel } from '../../../workers/executor/kernel/leased-kernel.ts';
import { runJob, type RunJobParts } from '../../../workers/executor/run-job.ts';
import { GiveBackError, type HeldJob } from '../../../workers/executor/worker.ts';
import { silentLog } from '../../support/log.ts';
import { ipynb } from '../../support/notebooks.ts';

const data: NbexecJobData = {
  version: 1,
  owner: 'alice',
  kernel_name: 'lsst',
  timeout_seconds: 60,
  enable_retry: true,
};

/** A job as the worker hands it over. */
function held(changes: Partial<HeldJob> = {}) {
  const job = {
    id: 'nbexec-1',
    data,
    attemptId: 'attempt-1',
    enqueuedAtMs: Date.now(),
    signal: new AbortController().signal,
    cancelled: new AbortController().signal,
    log: silentLog(),
    reportProgress: () => undefined,
    markFirstCellStarted: vi.fn(async () => undefined),
    tell: () => undefined,
    seal: vi.fn(async () => undefined),
    ...changes,
  };
  return job;
}

/** A lab whose kernels run a cell as told, and a store that remembers what was put. */
function parts(execute: () => Promise<unknown>, changes: Partial<RunJobParts> = {}) {
  const kernel = { languageInfo: {}, execute, sendComm: () => undefined, interrupt: async () => undefined };
  const release = vi.fn(async () => undefined);
  const putResult = vi.fn(async () => undefined);
  return {
    pool: { acquire: async () => kernel as unknown as LeasedKernel, release },
    store: { getSource: async (): Promise<string | undefined> => ipynb(), putResult },
    startWithinSeconds: 60,
    resultTtlSeconds: 60,
    environment: {},
    assertHeld: () => undefined,
    ...changes,
  } as RunJobParts & { pool: { release: typeof release }; store: { putResult: typeof putResult } };
}

const ok = () => Promise.resolve({ reply: { status: 'ok', execution_count: 1 } });
const failing = (error: Error) => async (): Promise<never> => {
  throw error;
};

describe('a job', () => {
  test('that ran leaves its notebook under the id of its attempt, and its kernel is given back', async () => {
    const lab = parts(ok);
    const job = held();
    expect(await runJob(job, lab)).toMatchObject({ result_id: 'attempt-1' });
    expect(lab.store.putResult).toHaveBeenCalledWith('nbexec-1', 'attempt-1', expect.any(String), 60);
    expect(job.seal).toHaveBeenCalledOnce();
    expect(lab.pool.release).toHaveBeenCalledOnce();
  });

  test.each([
    ['waited longer than it may', held({ enqueuedAtMs: Date.now() - 61_000 }), {}],
    ['has no notebook any more', held(), { store: { getSource: async () => undefined, putResult: vi.fn() } }],
  ])('that %s ends as expired without a kernel', async (_, job, changes) => {
    const acquire = vi.fn();
    const outcome = await runJob(job, parts(ok, { ...changes, pool: { acquire, release: vi.fn() } }));
    expect(outcome.error).toMatchObject({
      code: 'timeout',
      reason: 'expired',
      message: 'The job was not started within 60 s: submit it again',
    });
    expect(acquire).not.toHaveBeenCalled();
  });

  test('for an unknown kernel ends with the list of those there are', async () => {
    const acquire = failing(new UnknownKernelError('cobol', ['lsst', 'python3']));
    const outcome = await runJob(held(), parts(ok, { pool: { acquire, release: vi.fn() } }));
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
    const outcome = await runJob(held(), lab);
    expect(outcome).toMatchObject({ result_id: 'attempt-1', error: { reason, cell_index: 0 } });
    expect(lab.store.putResult).toHaveBeenCalledOnce();
  });

  test.each([
    ['the connection to the kernel fails', parts(failing(new SocketClosedError(1006, '')))],
    [
      'the lab gives no kernel',
      parts(ok, { pool: { acquire: failing(new Error('no memory')), release: vi.fn() } }),
    ],
  ])('goes back to the queue when %s, with nothing written', async (_, lab) => {
    const job = held();
    await expect(runJob(job, lab)).rejects.toThrow(GiveBackError);
    expect(lab.store.putResult).not.toHaveBeenCalled();
    expect(job.seal).not.toHaveBeenCalled();
  });

  test('writes nothing once the lease is over', async () => {
    const assertHeld = () => {
      throw new Error('the lease is over');
    };
    const lab = parts(ok, { assertHeld });
    await expect(runJob(held(), lab)).rejects.toThrow('the lease is over');
    expect(lab.store.putResult).not.toHaveBeenCalled();
  });

  test('that may not be rerun is marked before its first cell', async () => {
    const order: string[] = [];
    const job = held({
      data: { ...data, enable_retry: false },
      markFirstCellStarted: async () => void order.push('marked'),
    });
    const execute = async () => {
      order.push('cell');
      return ok();
    };
    await runJob(job, parts(execute));
    expect(order).toEqual(['marked', 'cell']);
  });
});
