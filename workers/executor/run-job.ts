import { errorOf, type ErrorReason } from '../../lib/contract/execution-error.ts';
import type { NbexecOutcome } from '../../lib/contract/nbexec-job.ts';
import { InvalidNotebookError, parseNotebook, type Notebook } from '../../lib/contract/nbformat.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import { KernelDiedError, UnknownKernelError, CellTooLargeError } from './kernel/kernel-error.ts';
import type { KernelPool } from './kernel/kernel-pool.ts';
import { runNotebook, type RunResult } from './notebook/run-notebook.ts';
import { ProgressReport } from './progress-report.ts';
import { GiveBackError, type HeldJob } from './worker.ts';

export interface RunJobParts {
  pool: Pick<KernelPool, 'acquire' | 'release'>;
  store: Pick<ResultStore, 'getSource' | 'putResult'>;
  /** A job that has waited longer than this is not worth running any more. */
  startWithinSeconds: number;
  /** How long the executed notebook is kept. */
  resultTtlSeconds: number;
  /** Throws when the lease is over. */
  assertHeld: () => void;
}

/** Ends a run whose time is over. */
class RunTimeout extends Error {
  override readonly name = 'RunTimeout';
}

// Messages come from notebooks; whole tracebacks stay in the notebook's outputs.
const MAX_MESSAGE_CHARS = 4_000;

/**
 * Runs one job: takes its notebook, a kernel, runs the cells, keeps the executed notebook.
 *
 * @returns how the job ended; the caller commits it
 * @throws {GiveBackError} when the lab failed beneath the notebook, and another attempt may succeed
 */
export async function runJob(job: HeldJob, parts: RunJobParts): Promise<NbexecOutcome> {
  const waitedSeconds = (Date.now() - job.enqueuedAtMs) / 1_000;
  const source = waitedSeconds > parts.startWithinSeconds ? undefined : await parts.store.getSource(job.id);
  if (source === undefined) {
    const message = `The job was not started within ${parts.startWithinSeconds} s: submit it again`;
    return { error: errorOf('expired', message) };
  }
  let notebook: Notebook;
  try {
    notebook = parseNotebook(source);
  } catch (error) {
    if (error instanceof InvalidNotebookError) return { error: errorOf('invalid_notebook', error.message) };
    throw error;
  }
  const kernel = await acquireKernel(job, parts);
  if ('error' in kernel) return kernel;
  try {
    const result = await run(job, notebook, kernel);
    job.signal.throwIfAborted();
    parts.assertHeld();
    const end = outcomeOf(result, job.data.timeout_seconds);
    await parts.store.putResult(
      job.id,
      job.attemptId,
      JSON.stringify(result.notebook),
      parts.resultTtlSeconds,
    );
    return { result_id: job.attemptId, ...end };
  } finally {
    // Not waited for: the answer is ready, and the pool bounds the deletion.
    void parts.pool.release(kernel);
  }
}

async function acquireKernel(job: HeldJob, parts: RunJobParts) {
  try {
    return await parts.pool.acquire(job.data.kernel_name, job.signal);
  } catch (error) {
    if (error instanceof UnknownKernelError) return { error: errorOf('unknown_kernel', error.message) };
    job.signal.throwIfAborted();
    throw new GiveBackError('The lab gave no kernel', { cause: error });
  }
}

async function run(
  job: HeldJob,
  notebook: Notebook,
  kernel: Awaited<ReturnType<KernelPool['acquire']>>,
): Promise<RunResult> {
  const progress = new ProgressReport(job.reportProgress);
  if (!job.data.enable_retry) await job.markFirstCellStarted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new RunTimeout()), job.data.timeout_seconds * 1_000);
  try {
    return await runNotebook({
      notebook,
      kernel,
      signal: AbortSignal.any([job.signal, timeout.signal]),
      onProgress: (event) => progress.take(event),
    });
  } finally {
    clearTimeout(timer);
    progress.close();
  }
}

function outcomeOf(result: RunResult, timeoutSeconds: number): NbexecOutcome {
  const { error, interrupted, failure } = result;
  if (error) {
    return { ipynb_error: { name: error.name, message: error.message.slice(0, MAX_MESSAGE_CHARS) } };
  }
  if (interrupted) {
    // The other reason to interrupt is the job's own signal, and then nothing is committed.
    const message = `The notebook did not end within its timeout of ${timeoutSeconds} s`;
    return { error: errorOf('run_timeout', message, interrupted.cell_index) };
  }
  if (!failure) return {};
  const reason = FAILURES.find(([type]) => failure.error instanceof type)?.[1];
  if (!reason) throw new GiveBackError('The connection to the kernel failed', { cause: failure.error });
  return { error: errorOf(reason, failure.error.message, failure.cell_index) };
}

const FAILURES: [new (...args: never[]) => Error, ErrorReason][] = [
  [KernelDiedError, 'kernel_died'],
  [CellTooLargeError, 'invalid_notebook'],
];
