/** Runs the cases of a suite in the service, several at once. */
import { setMaxListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { NoteburstError, RefusedError } from '../client/client-error.ts';
import type { NoteburstClient } from '../client/client.ts';
import type { LiveEvent } from '../lib/contract/live-event.ts';
import type { NotebookResponse } from '../lib/contract/notebooks-api.ts';
import { submissionOptions, type SuiteCase } from './plan.ts';
import { FAILING, isAskedWrongly, type CaseResult, type Failure } from './report.ts';
import type { NotebookSource } from './source/notebook-source.ts';
import { readSource } from './source/source.ts';
import { failed, judge } from './verdict.ts';

/** What a suite asks of the service. */
export interface SuiteClient extends Pick<
  NoteburstClient,
  'submit' | 'wait' | 'events' | 'cancel' | 'pageOf'
> {
  /** Has an ended job with what came of it for no longer than `use` takes; absent: `wait` has brought it. */
  whole?: <T>(jobId: string, use: (job: NotebookResponse) => Promise<T>, signal: AbortSignal) => Promise<T>;
}

export interface SuiteRun {
  client: SuiteClient;
  cases: readonly SuiteCase[];
  /** The idempotency key of a case, when another process may run the same suite again. */
  keyOf?: (which: SuiteCase) => string;
  /** How many are in the service at once. */
  atOnce: number;
  /** Whether to end the others when one has failed. */
  failFast?: boolean;
  /** Cancels what runs and begins no more. */
  signal: AbortSignal;
  onSubmitted?: (which: SuiteCase, job: NotebookResponse) => void;
  /** Called with what happens to a case's job, as it happens; for showing only: events may be missing. */
  onEvent?: (which: SuiteCase, event: LiveEvent) => void;
  onResult?: (result: CaseResult) => void;
  /**
   * Takes the executed notebook, as far as it came.
   *
   * @returns what there is to say of it: where it was written, or why its outputs are not as they should be
   */
  onExecuted?: (
    which: SuiteCase,
    executed: string,
    run: { source: NotebookSource; isWell: boolean },
  ) => Promise<Executed>;
}

export interface Executed {
  executed?: string;
  failure?: Failure | undefined;
  warnings?: string[];
}

/** How long a cancel may take when nobody wants to wait any more. */
const CANCEL_MS = 10_000;

/** What a notebook may do to its lab, so that it says nothing of the others. */
const OF_ONE: ReadonlySet<string> = new Set(['lab_lost', 'executor_lost']);

/** Whether nothing else would be run either. */
const isTroubleOfAll = (result: CaseResult): boolean =>
  result.verdict === 'error' && !isAskedWrongly(result) && !OF_ONE.has(result.failure?.reason ?? '');

/**
 * Runs them all; for what a notebook or the service does there is a verdict. When the service takes no more, or runs none, no more
 * is begun.
 *
 * @returns their results, in the order of the cases
 */
export async function runSuite(run: SuiteRun): Promise<CaseResult[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  // Each notebook in the service listens; Node 20 warns at the eleventh.
  setMaxListeners(0, signal);
  const results = new Map<SuiteCase, CaseResult>();
  let inTrouble = false;
  const waiting = run.cases.values();
  const next = async (which: SuiteCase) => {
    const isOver = signal.aborted || inTrouble;
    const result = isOver ? named(which, { verdict: 'skipped' }) : await runCase(run, which, signal);
    if (isTroubleOfAll(result)) inTrouble = true;
    if ((FAILING.has(result.verdict) || isAskedWrongly(result)) && run.failFast)
      stop.abort(new Error('another notebook has failed'));
    results.set(which, result);
    run.onResult?.(result);
  };
  const worker = async () => {
    try {
      for (const which of waiting) await next(which);
    } catch (error) {
      stop.abort(error); // the others are cancelled, and waited for
      throw error;
    }
  };
  const workers = await Promise.allSettled(
    Array.from({ length: Math.min(run.atOnce, run.cases.length) }, worker),
  );
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
  return run.cases.map((which) => results.get(which) as CaseResult);
}

async function runCase(run: SuiteRun, which: SuiteCase, signal: AbortSignal): Promise<CaseResult> {
  let source: NotebookSource;
  try {
    source = readSource(which.file, await readFile(which.file, 'utf8'));
  } catch (error) {
    // Nothing was run that could have failed as expected.
    const failure = { reason: 'invalid_notebook', message: (error as Error).message };
    return named(which, { verdict: 'failed', failure });
  }
  let jobId: string | undefined;
  try {
    const submission = { ipynb: source.ipynb, ...submissionOptions(which.options) };
    // What is on its way when all is stopped is accepted still, so that its id is needed to cancel it.
    using late = new LaterSignal(signal, CANCEL_MS);
    const submitted = await run.client.submit(submission, {
      signal: late.signal,
      ...(run.keyOf && { idempotencyKey: run.keyOf(which) }),
    });
    jobId = submitted.job_id;
    run.onSubmitted?.(which, submitted);
    const job = await watched(run, which, jobId, signal);
    const use = (whole: NotebookResponse) => resultOf(run, which, source, whole);
    return await (run.client.whole ? run.client.whole(jobId, use, signal) : use(job));
  } catch (error) {
    const told = jobId === undefined ? {} : { job_id: jobId, job_url: run.client.pageOf(jobId) };
    // Also after trouble nobody waits for it any more.
    if (jobId !== undefined) await cancel(run, jobId);
    if (signal.aborted) return named(which, { verdict: 'cancelled', ...told });
    if (!(error instanceof NoteburstError)) throw error;
    return named(which, { ...notRun(error), ...told });
  }
}

/** Waits for the end of a job, telling of its events meanwhile. */
async function watched(
  { client, onEvent }: SuiteRun,
  which: SuiteCase,
  jobId: string,
  signal: AbortSignal,
): Promise<NotebookResponse> {
  if (!onEvent) return client.wait(jobId, { signal });
  const ended = new AbortController();
  const follow = async () => {
    const events = client.events(jobId, AbortSignal.any([signal, ended.signal]));
    for await (const event of events) onEvent(which, event);
  };
  // A service without events, or with too many watchers, still runs the notebook.
  const followed = follow().catch(() => undefined);
  try {
    return await client.wait(jobId, { signal });
  } finally {
    ended.abort();
    await followed;
  }
}

/** What it says of the notebook that the service has not taken it: nothing, unless it is the notebook that it refuses. */
function notRun(error: NoteburstError): Pick<CaseResult, 'verdict' | 'failure'> {
  const { message } = error;
  if (!(error instanceof RefusedError))
    return { verdict: 'error', failure: { reason: 'unreachable', message } };
  const { status, field = 'ipynb', type } = error;
  const isInvalid = status === 422 && type !== KEY_REUSED;
  if (isInvalid && field !== 'ipynb')
    return { verdict: 'error', failure: { reason: 'wrong_option', message } };
  const verdict = isInvalid || status === 413 ? 'failed' : 'error';
  return { verdict, failure: { reason: 'refused', message } };
}

/** The one 422 of a submission that is about no field. */
const KEY_REUSED = 'idempotency_key_reused';

/** A signal that fires some time after another. */
class LaterSignal implements Disposable {
  readonly #late = new AbortController();
  readonly #signal: AbortSignal;
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(signal: AbortSignal, ms: number) {
    this.#signal = signal;
    this.#ms = ms;
    if (signal.aborted) this.#begin();
    else signal.addEventListener('abort', this.#begin, { once: true });
  }

  get signal(): AbortSignal {
    return this.#late.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#begin);
  }

  readonly #begin = (): void => {
    this.#timer = setTimeout(() => this.#late.abort(this.#signal.reason), this.#ms);
  };
}

async function cancel({ client }: SuiteRun, jobId: string): Promise<void> {
  // It ends by itself at its timeout; that the cancel is lost is not worth an error to somebody who goes.
  await client.cancel(jobId, AbortSignal.timeout(CANCEL_MS)).catch(() => undefined);
}

async function resultOf(
  run: SuiteRun,
  which: SuiteCase,
  source: NotebookSource,
  job: NotebookResponse,
): Promise<CaseResult> {
  let judgement = judge(job, source, which.expectedFailure);
  const text = job.ipynb ?? job.partial_ipynb;
  const isWell = judgement.verdict === 'passed' || judgement.verdict === 'unexpected_pass';
  const told = text === undefined ? undefined : await run.onExecuted?.(which, text, { source, isWell });
  const { executed, failure } = told ?? {};
  const warnings = [...(job.warnings ?? []), ...(told?.warnings ?? [])];
  if (failure && isWell) judgement = failed(failure, which.expectedFailure);
  const begun = job.start_time === undefined ? undefined : Date.parse(job.start_time);
  const ended = job.finish_time === undefined ? undefined : Date.parse(job.finish_time);
  return named(which, {
    ...judgement,
    ...(begun === undefined || ended === undefined ? {} : { seconds: (ended - begun) / 1_000 }),
    ...(begun === undefined ? {} : { waited_seconds: (begun - Date.parse(job.enqueue_time)) / 1_000 }),
    job_id: job.job_id,
    job_url: run.client.pageOf(job.job_id),
    ...(job.attempts === undefined || job.attempts === 1 ? {} : { attempts: job.attempts }),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(job.environment ? { environment: job.environment } : {}),
    ...(executed === undefined ? {} : { executed }),
  });
}

function named(which: SuiteCase, result: Omit<CaseResult, 'name' | 'path'>): CaseResult {
  const { name, path, expectedFailure } = which;
  return { name, path, ...result, ...(expectedFailure ? { expected: expectedFailure.reason } : {}) };
}
