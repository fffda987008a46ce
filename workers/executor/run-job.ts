import { errorOf, type ErrorReason } from '../../lib/contract/execution-error.ts';
import type { JobEnvironment, NbexecOutcome } from '../../lib/contract/nbexec-job.ts';
import type { LiveEvent } from '../../lib/contract/live-event.ts';
import { InvalidNotebookError, parseNotebook, type Notebook } from '../../lib/contract/nbformat.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import { cancelledOutcome } from '../../lib/queue/verdict.ts';
import { JobCancelledError } from './cancellations.ts';
import {
  KernelDiedError,
  UnknownKernelError,
  CellTooLargeError,
  MessageTooLargeError,
} from './kernel/kernel-error.ts';
import type { KernelPool } from './kernel/kernel-pool.ts';
import { LiveKernel } from './live-kernel.ts';
import { OutputLimitError } from './notebook/output-budget.ts';
import { injectParameters, InvalidParameterError, UnsupportedLanguageError } from './notebook/parameters.ts';
import { CellTimeoutError, runNotebook, type Progress, type RunResult } from './notebook/run-notebook.ts';
import { ProgressReport } from './progress-report.ts';
import { GiveBackError, type HeldJob } from './worker.ts';

export interface RunJobParts {
  pool: Pick<KernelPool, 'acquire' | 'release'>;
  store: Pick<ResultStore, 'getSource' | 'putResult'>;
  /** A job that has waited longer than this is not worth running any more. */
  startWithinSeconds: number;
  /** How long the executed notebook is kept. */
  resultTtlSeconds: number;
  environment: Omit<JobEnvironment, 'kernel'>;
  /** Throws when the lease is over. */
  assertHeld: () => void;
}

/** Ends a run whose time is over. */
class RunTimeout extends Error {
  override readonly name = 'RunTimeout';
}

// An `lsst` kernel's set-up can take a minute in a busy lab; a lab that takes longer is of no use.
const KERNEL_TIMEOUT_MS = 180_000;
// Messages come from notebooks; whole tracebacks stay in the notebook's outputs.
const MAX_MESSAGE_CHARS = 4_000;
const MAX_TRACEBACK_CHARS = 8_000;
const MAX_WARNINGS = 20;
const MAX_WARNING_CHARS = 500;

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
  if (job.cancelled.aborted) return cancelledOutcome();
  const acquired = await acquireKernel(job, parts);
  if ('outcome' in acquired) return acquired.outcome;
  const { kernel } = acquired;
  try {
    const parametrized = withParameters(job, notebook, kernel);
    if ('outcome' in parametrized) return parametrized.outcome;
    const { result, progress } = await run(job, parametrized.notebook, kernel);
    job.signal.throwIfAborted();
    parts.assertHeld();
    const end = outcomeOf(result, job.data);
    const body = JSON.stringify(result.notebook);
    await Promise.all([
      parts.store.putResult(job.id, job.attemptId, body, parts.resultTtlSeconds),
      end.error?.reason === 'cancelled' || job.seal(),
    ]);
    const { warnings } = result;
    return {
      result_id: job.attemptId,
      ...end,
      ...(warnings.length > 0 && {
        warnings: warnings.slice(0, MAX_WARNINGS).map((warning) => warning.slice(0, MAX_WARNING_CHARS)),
      }),
      ...(progress && { progress }),
      environment: { ...parts.environment, kernel: job.data.kernel_name },
    };
  } finally {
    // Not waited for: the answer is ready, and the pool bounds the deletion.
    void parts.pool.release(kernel);
  }
}

async function acquireKernel(
  job: HeldJob,
  parts: RunJobParts,
): Promise<{ kernel: Kernel } | { outcome: NbexecOutcome }> {
  try {
    const timeout = AbortSignal.timeout(KERNEL_TIMEOUT_MS);
    const signal = AbortSignal.any([job.signal, job.cancelled, timeout]);
    return { kernel: await parts.pool.acquire(job.data.kernel_name, signal) };
  } catch (error) {
    if (error instanceof JobCancelledError) return { outcome: cancelledOutcome() };
    if (error instanceof UnknownKernelError) {
      return { outcome: { error: errorOf('unknown_kernel', error.message) } };
    }
    job.signal.throwIfAborted();
    throw new GiveBackError('The lab gave no kernel', { cause: error });
  }
}

type Kernel = Awaited<ReturnType<KernelPool['acquire']>>;

function withParameters(
  job: HeldJob,
  notebook: Notebook,
  kernel: Kernel,
): { notebook: Notebook } | { outcome: NbexecOutcome } {
  const { parameters } = job.data;
  if (parameters === undefined) return { notebook };
  try {
    const { name } = kernel.languageInfo;
    const language = typeof name === 'string' ? name : 'python';
    return { notebook: injectParameters(notebook, parameters, language) };
  } catch (error) {
    if (!(error instanceof UnsupportedLanguageError || error instanceof InvalidParameterError)) throw error;
    return { outcome: { error: errorOf('invalid_notebook', error.message) } };
  }
}

async function run(job: HeldJob, notebook: Notebook, kernel: Kernel) {
  const live = new LiveKernel(kernel, job.tell);
  const progress = new ProgressReport(job.reportProgress);
  if (!job.data.enable_retry) await job.markFirstCellStarted();
  const { cell_timeout_seconds: cellTimeout } = job.data;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new RunTimeout()), job.data.timeout_seconds * 1_000);
  try {
    const result = await runNotebook({
      notebook,
      kernel: live,
      signal: AbortSignal.any([job.signal, job.cancelled, timeout.signal]),
      ...(cellTimeout !== undefined && { cellTimeoutMs: cellTimeout * 1_000 }),
      onProgress: (event) => {
        live.cellIndex = event.cell_index;
        progress.take(event);
        job.tell(cellEvent(event));
      },
    });
    return { result, progress: progress.latest };
  } finally {
    clearTimeout(timer);
    progress.close();
  }
}

/** The event without the outputs, which have been told of already. */
function cellEvent(event: Progress): LiveEvent {
  const { type, cell_index, cells_done, cells_total } = event;
  return { type, cell_index, cells_done, cells_total };
}

function outcomeOf(result: RunResult, data: HeldJob['data']): NbexecOutcome {
  const { error, interrupted, failure } = result;
  if (error) {
    const message = error.message.slice(0, MAX_MESSAGE_CHARS);
    return { ipynb_error: { name: error.name, message }, ...tracebackOf(error.traceback) };
  }
  if (interrupted)
    return { ...interruption(interrupted, data), ...tracebackOf(interrupted.error?.traceback) };
  if (!failure) return {};
  const reason = FAILURES.find(([type]) => failure.error instanceof type)?.[1];
  if (!reason) throw new GiveBackError('The connection to the kernel failed', { cause: failure.error });
  return { error: errorOf(reason, failure.error.message, failure.cell_index) };
}

function interruption(
  { reason, cell_index: cell }: NonNullable<RunResult['interrupted']>,
  data: HeldJob['data'],
): NbexecOutcome {
  if (reason instanceof JobCancelledError) return cancelledOutcome(cell);
  if (reason instanceof CellTimeoutError) {
    const message = `The cell did not end within the cell_timeout of ${data.cell_timeout_seconds} s`;
    return { error: errorOf('cell_timeout', message, cell) };
  }
  // What is left is the job's own signal, and then nothing is committed.
  const message = `The notebook did not end within its timeout of ${data.timeout_seconds} s`;
  return { error: errorOf('run_timeout', message, cell) };
}

/** Where the exception was raised stands last in Python's tracebacks. */
function tracebackOf(lines: readonly string[] = []): Pick<NbexecOutcome, 'traceback'> {
  const kept: string[] = [];
  let chars = 0;
  for (const line of lines.toReversed()) {
    chars += line.length;
    if (chars > MAX_TRACEBACK_CHARS) break;
    kept.unshift(line);
  }
  return kept.length > 0 ? { traceback: kept } : {};
}

const FAILURES: [new (...args: never[]) => Error, ErrorReason][] = [
  [KernelDiedError, 'kernel_died'],
  [CellTooLargeError, 'invalid_notebook'],
  [OutputLimitError, 'output_limit'],
  [MessageTooLargeError, 'output_limit'],
];
