import type { Job } from 'bullmq';
import {
  jobProgress,
  nbexecJobData,
  nbexecOutcome,
  type JobProgress,
  type NbexecJobData,
  type NbexecOutcome,
} from '../contract/nbexec-job.ts';
import type { JobSnapshot } from './nbexec-queue.ts';
import type { StoredJob } from './own-jobs.ts';

/** What BullMQ keeps of a job, as far as it matters here. */
export type BullFields = Pick<
  Job<NbexecJobData, NbexecOutcome>,
  'data' | 'timestamp' | 'progress' | 'stalledCounter'
> &
  Partial<
    Pick<Job<NbexecJobData, NbexecOutcome>, 'processedOn' | 'finishedOn' | 'returnvalue' | 'failedReason'>
  >;

/** Makes of what BullMQ keeps what the service knows of a job. */
export function snapshot(id: string, job: BullFields, bullState: string): JobSnapshot {
  const state = STATES[bullState] ?? 'waiting';
  const outcome = nbexecOutcome.safeParse(job.returnvalue).data;
  const progress = outcome?.progress ?? jobProgress.safeParse(job.progress).data;
  return {
    id,
    data: nbexecJobData.parse(job.data),
    state,
    enqueuedAtMs: job.timestamp,
    ...(job.processedOn === undefined ? {} : { startedAtMs: job.processedOn }),
    ...(job.finishedOn === undefined ? {} : { finishedAtMs: job.finishedOn }),
    ...(progress ? { progress } : {}),
    ...(job.processedOn === undefined ? {} : { attempts: attemptsOf(job) }),
    ...(state === 'ended' && outcome ? { outcome } : {}),
    ...(job.failedReason ? { failedReason: job.failedReason } : {}),
  };
}

/** BullMQ's own count also has what an executor that was asked to stop gave back unspent. */
const attemptsOf = (job: BullFields): number =>
  (job.data.lost_attempts ?? 0) + (job.data.lost_connections ?? 0) + job.stalledCounter + 1;

/** Reads the fields of a job as BullMQ does. */
export function parsed(stored: StoredJob['fields']): BullFields {
  const { data, timestamp, processedOn, finishedOn, progress, returnvalue, failedReason, stc } = stored;
  return {
    data: JSON.parse(data ?? '{}') as NbexecJobData,
    timestamp: Number(timestamp),
    progress: JSON.parse(progress ?? '0') as JobProgress,
    stalledCounter: Number(stc ?? 0),
    ...(processedOn === undefined ? {} : { processedOn: Number(processedOn) }),
    ...(finishedOn === undefined ? {} : { finishedOn: Number(finishedOn) }),
    ...(returnvalue === undefined ? {} : { returnvalue: JSON.parse(returnvalue) as NbexecOutcome }),
    ...(failedReason === undefined ? {} : { failedReason }),
  };
}

const STATES: Partial<Record<string, JobSnapshot['state']>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  'waiting-children': 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'ended',
  failed: 'ended',
};
