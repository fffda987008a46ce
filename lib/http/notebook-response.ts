import type { JobPhase, JobStatus } from '../contract/job-status.ts';
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
    ...(job.progress ? { progress: job.progress } : {}),
  };
}

const STATUS: Record<JobSnapshot['state'], JobStatus> = {
  waiting: 'queued',
  delayed: 'deferred',
  active: 'in_progress',
  ended: 'complete',
};

function ending(job: JobSnapshot, bodies: Bodies): Partial<NotebookResponse> {
  const finishedAtMs = job.finishedAtMs ?? job.enqueuedAtMs;
  const error = errorOfJob(job);
  return {
    // v1 clients compute with both times of every complete job, also of one that never started.
    start_time: instant(job.startedAtMs ?? finishedAtMs),
    finish_time: instant(finishedAtMs),
    success: error === undefined,
    ...(bodies.result === undefined ? {} : { ipynb: bodies.result }),
    ...(job.outcome?.ipynb_error ? { ipynb_error: job.outcome.ipynb_error } : {}),
    ...(error ? { error } : {}),
  };
}

function errorOfJob(job: JobSnapshot): ExecutionError | undefined {
  if (job.outcome) return job.outcome.error;
  // BullMQ gives a job up by itself when executors keep dying over it.
  return errorOf('executor_lost', job.failedReason ?? 'The job was given up without a result');
}

function phaseOf(job: JobSnapshot): JobPhase {
  if (job.state === 'waiting' || job.state === 'delayed') return 'queued';
  if (job.state === 'active') return job.progress ? 'running' : 'leasing';
  const error = errorOfJob(job);
  if (!error) return 'completed';
  return error.reason === 'cancelled' ? 'aborted' : 'failed';
}

const instant = (ms: number): string => new Date(ms).toISOString();
