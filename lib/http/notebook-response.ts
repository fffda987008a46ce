import type { CallbackRecord } from '../contract/callback.ts';
import { endPhase, type JobPhase, type JobStatus } from '../contract/job-status.ts';
import { errorOf, type ExecutionError } from '../contract/execution-error.ts';
import type { NotebookResponse } from '../contract/notebooks-api.ts';
import type { JobSnapshot } from '../queue/nbexec-queue.ts';

/** The notebooks that a response may carry beside the job itself, each as the text of an `.ipynb` file. */
export interface Bodies {
  source?: string | undefined;
  /** Undefined when the caller did not ask for it, or when the job left none. */
  result?: string | undefined;
}

/**
 * The wire form of a job.
 *
 * @param apiUrl where the caller finds the API, for example https://data.example.org/noteburst/v1
 * @param showResult whether the fields of a complete job are shown (the query's `result`)
 */
export function notebookResponse(
  job: JobSnapshot,
  apiUrl: string,
  showResult: boolean,
  bodies: Bodies = {},
): NotebookResponse {
  return {
    job_id: job.id,
    kernel_name: job.data.kernel_name,
    enqueue_time: instant(job.enqueuedAtMs),
    status: STATUS[job.state],
    self_url: `${apiUrl}/notebooks/${job.id}`,
    timeout: job.data.timeout_seconds,
    ...(bodies.source === undefined ? {} : { source: bodies.source }),
    ...(job.state === 'active' && job.startedAtMs !== undefined
      ? { start_time: instant(job.startedAtMs) }
      : {}),
    ...(job.state === 'ended' && showResult ? ending(job, bodies) : {}),
    phase: phaseOf(job),
    ...(job.attempts === undefined ? {} : { attempts: job.attempts }),
    ...(job.data.tags ? { tags: job.data.tags } : {}),
    ...callbackOf(job),
    ...(job.progress && STARTED.has(job.state) ? { progress: job.progress } : {}),
  };
}

const STATUS: Record<JobSnapshot['state'], JobStatus> = {
  waiting: 'queued',
  delayed: 'deferred',
  active: 'in_progress',
  ended: 'complete',
};

/** A job that went back to the queue still carries what its last attempt reported. */
const STARTED = new Set<JobSnapshot['state']>(['active', 'ended']);

function ending(job: JobSnapshot, bodies: Bodies): Partial<NotebookResponse> {
  const finishedAtMs = job.finishedAtMs ?? job.enqueuedAtMs;
  const error = errorOfJob(job);
  return {
    // v1 clients compute with both times of every complete job, also of one that never started.
    start_time: instant(job.startedAtMs ?? finishedAtMs),
    finish_time: instant(finishedAtMs),
    success: error === undefined,
    // v1 clients show whatever comes as ipynb as a good result, whatever success says.
    ...(bodies.result === undefined ? {} : { [error ? 'partial_ipynb' : 'ipynb']: bodies.result }),
    ...(job.outcome?.ipynb_error ? { ipynb_error: job.outcome.ipynb_error } : {}),
    ...(error ? { error } : {}),
    ...additions(job.outcome),
  };
}

/** Nothing is noted of a delivery before its first attempt is over. */
function callbackOf({ data, state, delivery }: JobSnapshot): { callback?: CallbackRecord } {
  if (!data.callback) return {};
  const begun = { state: state === 'ended' ? 'delivering' : 'waiting', attempts: 0 } as const;
  return { callback: { ...data.callback, ...(delivery ?? begun) } };
}

/** What Noteburst v1 did not tell of an end. */
function additions(outcome: JobSnapshot['outcome']): Partial<NotebookResponse> {
  const { traceback, warnings, environment } = outcome ?? {};
  return {
    ...(traceback ? { traceback } : {}),
    ...(warnings ? { warnings } : {}),
    ...(environment ? { environment } : {}),
  };
}

/** Why the job ended without its notebook having run as far as it would; undefined when it has not ended, too. */
export function errorOfJob(job: JobSnapshot): ExecutionError | undefined {
  if (job.state !== 'ended') return undefined;
  if (job.outcome) return job.outcome.error;
  // BullMQ gives a job up by itself when executors keep dying over it.
  return errorOf('executor_lost', job.failedReason ?? 'The job was given up without a result');
}

function phaseOf(job: JobSnapshot): JobPhase {
  if (job.cancelling) return 'cancelling';
  if (job.state === 'waiting' || job.state === 'delayed') return 'queued';
  if (job.state === 'active') return job.progress ? 'running' : 'leasing';
  return endPhase(errorOfJob(job));
}

const instant = (ms: number): string => new Date(ms).toISOString();
