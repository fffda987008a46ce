import type { NbexecJobData, NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';
import { cancelledOutcome } from '../../../lib/queue/verdict.ts';
import { MAX_STALLED } from '../../../workers/executor/jobs/attempts.ts';

export const LOCK_MS = 9_000;

export interface ModelJob {
  readonly id: string;
  state: 'waiting' | 'delayed' | 'active' | 'ended';
  data: NbexecJobData;
  stalledCounter: number;
  deferredFailure?: string;
  lock?: { token: string; untilMs: number };
  /** It was active at the last look for stalled jobs, and its lock has not been renewed since. */
  suspect: boolean;
  delayedUntilMs: number;
  /** `cancelled`, or the token of the attempt that sealed its end. */
  verdict?: string;
  /** Its terminal transitions. */
  readonly ends: NbexecOutcome[];
}

/**
 * What BullMQ's scripts, and the two of verdict.ts, do to jobs: each is one step. Times are those of Redis.
 *
 * @see https://docs.bullmq.io/guide/workers/stalled-jobs
 */
export class QueueModel {
  readonly jobs = new Map<string, ModelJob>();
  /** Waiting ones, the next first. */
  readonly #waiting: ModelJob[] = [];
  readonly #checksLocks: boolean;

  /** @param checksLocks whether a job is ended only under its lock */
  constructor(checksLocks: boolean) {
    this.#checksLocks = checksLocks;
  }

  add(id: string, data: NbexecJobData): void {
    const fresh = { stalledCounter: 0, suspect: false, delayedUntilMs: 0, ends: [] };
    const job: ModelJob = { id, state: 'waiting', data, ...fresh };
    this.jobs.set(id, job);
    this.#waiting.push(job);
  }

  /** @returns the job as it is now; undefined when there is none */
  moveToActive(token: string): ModelJob | undefined {
    for (const job of this.jobs.values()) {
      if (job.state === 'delayed' && job.delayedUntilMs <= Date.now()) this.#wait(job);
    }
    const job = this.#waiting.shift();
    if (!job) return undefined;
    job.state = 'active';
    job.lock = { token, untilMs: Date.now() + LOCK_MS };
    return { ...job };
  }

  extendLock(id: string, token: string): boolean {
    const job = this.#lockedBy(id, token);
    if (!job) return false;
    job.lock = { token, untilMs: Date.now() + LOCK_MS };
    job.suspect = false;
    return true;
  }

  /** @returns whether it was written */
  writeData(id: string, token: string, data: NbexecJobData): boolean {
    const job = this.#lockedBy(id, token);
    if (job) job.data = data;
    return job !== undefined;
  }

  moveToWait(id: string, token: string): void {
    const job = this.#assertLockedBy(id, token);
    this.#wait(job, true);
  }

  moveToDelayed(id: string, token: string, data: NbexecJobData, delayMs: number): void {
    const job = this.#assertLockedBy(id, token);
    this.#leaveActive(job, 'delayed');
    job.data = data;
    job.delayedUntilMs = Date.now() + delayMs;
  }

  moveToCompleted(id: string, token: string, outcome: NbexecOutcome): void {
    this.#end(this.#checksLocks ? this.#assertLockedBy(id, token) : this.#job(id), outcome);
  }

  /** Jobs without a lock that were active the last time already go back to those that wait. */
  recoverStalled(): void {
    for (const job of this.jobs.values()) {
      if (job.state !== 'active') continue;
      if (!job.suspect || isLocked(job)) {
        job.suspect = true;
        continue;
      }
      job.stalledCounter++;
      if (job.stalledCounter > MAX_STALLED) job.deferredFailure = 'job stalled more than allowable limit';
      this.#wait(job);
    }
  }

  /** @returns whether the end may be committed */
  seal(id: string, token: string): boolean {
    const job = this.#job(id);
    if (job.verdict === 'cancelled') return false;
    job.verdict = token;
    return true;
  }

  cancel(id: string): string {
    const job = this.#job(id);
    if (job.state === 'ended') return 'ended';
    if (job.state !== 'active') {
      if (job.state === 'waiting') this.#waiting.splice(this.#waiting.indexOf(job), 1);
      this.#end(job, cancelledOutcome());
      return 'ended';
    }
    if (job.verdict !== undefined && isLocked(job) && job.verdict === job.lock?.token) return 'ending';
    job.verdict = 'cancelled';
    return 'cancelling';
  }

  #job(id: string): ModelJob {
    return this.jobs.get(id) as ModelJob;
  }

  #lockedBy(id: string, token: string): ModelJob | undefined {
    const job = this.#job(id);
    return isLocked(job) && job.lock?.token === token ? job : undefined;
  }

  #assertLockedBy(id: string, token: string): ModelJob {
    const job = this.#lockedBy(id, token);
    if (!job) throw new Error('Missing lock, or lock mismatch');
    return job;
  }

  #wait(job: ModelJob, first = false): void {
    this.#leaveActive(job, 'waiting');
    if (first) this.#waiting.unshift(job);
    else this.#waiting.push(job);
  }

  #end(job: ModelJob, outcome: NbexecOutcome): void {
    this.#leaveActive(job, 'ended');
    job.ends.push(outcome);
  }

  #leaveActive(job: ModelJob, state: ModelJob['state']): void {
    job.state = state;
    job.suspect = false;
    delete job.lock;
  }
}

const isLocked = ({ lock }: ModelJob): boolean => lock !== undefined && lock.untilMs > Date.now();
