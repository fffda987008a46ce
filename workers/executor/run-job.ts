import { errorOf, type ErrorReason, type ExecutionError } from '../../lib/contract/execution-error.ts';
import type { JobEnvironment, NbexecOutcome } from '../../lib/contract/nbexec-job.ts';
import { InvalidNotebookError, parseNotebook, type Notebook } from '../../lib/contract/nbformat.ts';
import { crashpoint } from '../../lib/crashpoint.ts';
import { jsonPieces } from '../../lib/queue/json-pieces.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import { cancelledOutcome } from '../../lib/queue/verdict.ts';
import type { Backend, BackendRun } from './backend/backend.ts';
import { ConnectionLostError, GiveBackError, JobCancelledError } from './jobs/errors.ts';
import type { HeldJob } from './jobs/held-job.ts';
import {
  CellTooLargeError,
  KernelDiedError,
  KernelError,
  MessageTooLargeError,
  OutputLostError,
  UnknownKernelError,
} from './kernel/kernel-error.ts';
import { OutputLimitError } from './notebook/output-budget.ts';
import { InvalidParameterError, UnsupportedLanguageError } from './notebook/parameters.ts';
import { CellTimeoutError } from './notebook/run-notebook.ts';

export interface RunJobParts {
  backend: Pick<Backend, 'run'>;
  store: Pick<ResultStore, 'getSource' | 'putResult'>;
  /** A job that has waited longer than this is not worth running any more. */
  startWithinSeconds: number;
  /** How long the executed notebook is kept. */
  resultTtlSeconds: number;
  environment: Omit<JobEnvironment, 'kernel'>;
  /** Throws when the lease is over. */
  assertHeld: () => void;
}

// Messages come from notebooks; whole tracebacks stay in the notebook's outputs.
const MAX_MESSAGE_CHARS = 4_000;
const MAX_TRACEBACK_CHARS = 8_000;
const MAX_WARNINGS = 20;
const MAX_WARNING_CHARS = 500;
const LOST = '. What it had done until then is lost, as it had to be stopped with its lab';

/**
 * Runs one job: takes its notebook, has it run in the lab, keeps the executed notebook.
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
  try {
    using run = await parts.backend.run(job, notebook);
    return await keep(run, job, parts);
  } catch (error) {
    if (error instanceof JobCancelledError) return cancelledOutcome();
    const reason = reasonOf(error);
    if (!reason) throw error;
    return { error: errorOf(reason, (error as Error).message) };
  }
}

/** Keeps the notebook, if there is one, and says how the job ended. */
async function keep(run: BackendRun, job: HeldJob, parts: RunJobParts): Promise<NbexecOutcome> {
  job.signal.throwIfAborted();
  parts.assertHeld();
  const { notebook, warnings, progress } = run;
  const end = outcomeOf(run, job.data);
  await Promise.all([
    notebook && parts.store.putResult(job.id, job.attemptId, jsonPieces(notebook), parts.resultTtlSeconds),
    end.error?.reason === 'cancelled' || job.seal(),
  ]);
  await crashpoint('s7');
  return {
    ...(notebook && { result_id: job.attemptId }),
    ...end,
    ...(warnings.length > 0 && {
      warnings: warnings.slice(0, MAX_WARNINGS).map((warning) => warning.slice(0, MAX_WARNING_CHARS)),
    }),
    ...(progress && { progress }),
    environment: { ...parts.environment, kernel: job.data.kernel_name },
  };
}

function outcomeOf(run: BackendRun, data: HeldJob['data']): NbexecOutcome {
  const { error, interrupted, failure } = run;
  if (error) {
    const message = error.message.slice(0, MAX_MESSAGE_CHARS);
    return { ipynb_error: { name: error.name, message }, ...tracebackOf(error.traceback) };
  }
  if (interrupted) {
    const end = interruption(interrupted, data);
    if (!run.notebook) end.message += LOST;
    return { error: end, ...tracebackOf(interrupted.error?.traceback) };
  }
  if (!failure) return {};
  const reason = reasonOf(failure.error);
  if (reason) return { error: errorOf(reason, failure.error.message, failure.cell_index) };
  if (failure.error instanceof KernelError && !data.enable_retry) {
    // Nobody will run it again, so what there is is all that there will be.
    const message = `The connection to the lab failed, and enable_retry is false: ${failure.error.message}`;
    return { error: errorOf('lab_lost', message, failure.cell_index) };
  }
  const Why = failure.error instanceof OutputLostError ? ConnectionLostError : GiveBackError;
  throw new Why('The connection to the kernel failed', { cause: failure.error });
}

function interruption(
  { reason, cell_index: cell }: NonNullable<BackendRun['interrupted']>,
  data: HeldJob['data'],
): ExecutionError {
  if (reason instanceof JobCancelledError) return errorOf('cancelled', 'The job was cancelled', cell);
  if (reason instanceof CellTimeoutError) {
    const message = `The cell did not end within the cell_timeout of ${data.cell_timeout_seconds} s`;
    return errorOf('cell_timeout', message, cell);
  }
  // What is left is the job's own signal, and then nothing is committed.
  return errorOf(
    'run_timeout',
    `The notebook did not end within its timeout of ${data.timeout_seconds} s`,
    cell,
  );
}

/** Where the exception was raised stands last in Python's tracebacks. */
function tracebackOf(lines: readonly string[] = []): Pick<NbexecOutcome, 'traceback'> {
  const kept: string[] = [];
  let chars = 0;
  for (const line of lines.toReversed()) {
    const room = MAX_TRACEBACK_CHARS - chars;
    // Of the last entry the end, whatever its length: some kernels send all lines as one.
    if (line.length > room && kept.length > 0) break;
    kept.unshift(line.slice(-room));
    chars += line.length;
    if (chars >= MAX_TRACEBACK_CHARS) break;
  }
  return kept.length > 0 ? { traceback: kept } : {};
}

/** What ends a job, and is not the notebook's own exception; undefined for what another attempt may not meet. */
function reasonOf(error: unknown): ErrorReason | undefined {
  return FAILURES.find(([type]) => error instanceof type)?.[1];
}

const FAILURES: [new (...args: never[]) => Error, ErrorReason][] = [
  [UnknownKernelError, 'unknown_kernel'],
  [UnsupportedLanguageError, 'invalid_notebook'],
  [InvalidParameterError, 'invalid_notebook'],
  [KernelDiedError, 'kernel_died'],
  [CellTooLargeError, 'invalid_notebook'],
  [OutputLimitError, 'output_limit'],
  [MessageTooLargeError, 'output_limit'],
];
