import { errorOf } from '../../../lib/contract/execution-error.ts';
import { nbexecJobData, type NbexecJobData, type NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';

// A job whose executors or labs keep dying is ended after this many, or it would take all of them down in turn.
const MAX_ATTEMPTS = 5;
/** Of these, how many may be lost with an executor that died. */
export const MAX_STALLED = 3;

/** What BullMQ knows of a job, as far as it says how often it was begun. */
export interface AttemptRecord {
  /** As it was read, checked by nobody yet. */
  data: NbexecJobData;
  /** How often its executor died. */
  stalledCounter: number;
  /** Set by BullMQ when that was more often than allowed. */
  deferredFailure?: string;
}

/** Which attempt this is, from 1; BullMQ's own count also has what was given back unspent. */
export const attemptOf = ({ data, stalledCounter }: AttemptRecord): number =>
  (data.lost_attempts ?? 0) + stalledCounter + 1;

/** The outcome of a job that must not be started once more. */
export function refusal(record: AttemptRecord): NbexecOutcome | undefined {
  const data = nbexecJobData.safeParse(record.data).data;
  if (!data) {
    const message = 'The job was written by a version of the service that this executor does not know';
    return { error: errorOf('executor_lost', message) };
  }
  const lost = attemptOf(record) - 1;
  if (record.deferredFailure || lost >= MAX_ATTEMPTS) {
    const message = `The notebook was given up: its lab or executor was lost ${lost} times`;
    return { error: errorOf('executor_lost', message) };
  }
  if (data.first_cell_started) {
    const message = 'The lab or executor was lost while the notebook ran, and enable_retry is false';
    return { error: errorOf('executor_lost', message) };
  }
  return undefined;
}

/** The job's data once this attempt is lost. */
export const afterLoss = (data: NbexecJobData): NbexecJobData => ({
  ...data,
  lost_attempts: (data.lost_attempts ?? 0) + 1,
});

/**
 * How long a job waits before it is begun again: not at all for the first time, as most often only one lab has gone, then
 * twice as long each time. One that will only be ended waits for nothing.
 *
 * @param record as it is after the loss
 */
export function rerunDelayMs(record: AttemptRecord, firstMs: number): number {
  if (refusal(record)) return 0;
  const losses = attemptOf(record) - 1;
  return losses <= 1 ? 0 : firstMs * 2 ** (losses - 2);
}
