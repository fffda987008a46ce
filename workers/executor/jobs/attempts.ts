import { errorOf } from '../../../lib/contract/execution-error.ts';
import { nbexecJobData, type NbexecJobData, type NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';
import { ConnectionLostError, GiveBackError } from './errors.ts';

// A job whose executors or labs keep dying is ended after this many, or it would take all of them down in turn.
const MAX_ATTEMPTS = 5;
/** Of these, how many may be lost with an executor that died. */
export const MAX_STALLED = 3;
/** A bad network is no fault of the notebook's, and costs no lab: it counts apart. */
const MAX_CONNECTIONS_LOST = 5;

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
export const attemptOf = (record: AttemptRecord): number => losses(record) + connectionsLost(record) + 1;

/** Of labs and executors. */
const losses = ({ data, stalledCounter }: AttemptRecord): number =>
  (data.lost_attempts ?? 0) + stalledCounter;

const connectionsLost = ({ data }: AttemptRecord): number => data.lost_connections ?? 0;

/** What was lost last. */
const lastLoss = ({ data, stalledCounter }: AttemptRecord) =>
  data.lab_lost_at === stalledCounter ? 'lab_lost' : 'executor_lost';

/** The outcome of a job that must not be started once more. */
export function refusal(record: AttemptRecord): NbexecOutcome | undefined {
  const data = nbexecJobData.safeParse(record.data).data;
  if (!data) {
    const message = 'The job was written by a version of the service that this executor does not know';
    return { error: errorOf('executor_lost', message) };
  }
  const lost = losses(record);
  if (record.deferredFailure || lost >= MAX_ATTEMPTS) {
    const message = `The notebook was given up: its lab or executor was lost ${lost} times`;
    return { error: errorOf(lastLoss(record), message) };
  }
  if (connectionsLost(record) >= MAX_CONNECTIONS_LOST) {
    const message = `The notebook was given up: output was lost with the connection to its lab ${MAX_CONNECTIONS_LOST} times`;
    return { error: errorOf('lab_lost', message) };
  }
  if (data.first_cell_started) {
    const message = 'The lab or executor was lost while the notebook ran, and enable_retry is false';
    return { error: errorOf(lastLoss(record), message) };
  }
  return undefined;
}

/** The job's data once this attempt is lost, and why. */
export function afterLoss({ data, stalledCounter }: AttemptRecord, why: unknown): NbexecJobData {
  const counted =
    why instanceof ConnectionLostError
      ? { lost_connections: (data.lost_connections ?? 0) + 1 }
      : { lost_attempts: (data.lost_attempts ?? 0) + 1 };
  return { ...data, ...counted, lab_lost_at: why instanceof GiveBackError ? stalledCounter : undefined };
}

/** The job's data once its notebook begins that must not begin again: what was lost before is not how it ends. */
export const onceBegun = (data: NbexecJobData): NbexecJobData => ({
  ...data,
  first_cell_started: true,
  lab_lost_at: undefined,
});

/**
 * How long a job waits before it is begun again: not at all for the first time, as most often only one lab has gone, then
 * twice as long each time. One that will only be ended waits for nothing.
 *
 * @param record as it is after the loss
 */
export function rerunDelayMs(record: AttemptRecord, firstMs: number): number {
  if (refusal(record)) return 0;
  const times = Math.max(losses(record), connectionsLost(record));
  return times <= 1 ? 0 : firstMs * 2 ** (times - 2);
}
