import { Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  JOB_NAME,
  jobProgress,
  KEY_PREFIX,
  nbexecJobData,
  nbexecOutcome,
  type JobProgress,
  type NbexecJobData,
  type NbexecOutcome,
} from '../contract/nbexec-job.ts';
import { cancelJob, isCancelled, type CancelAnswer } from './verdict.ts';

/** What BullMQ knows of a job, checked. Times are milliseconds since the epoch. */
export interface JobSnapshot {
  id: string;
  data: NbexecJobData;
  state: 'waiting' | 'delayed' | 'active' | 'ended';
  enqueuedAtMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  progress?: JobProgress;
  /** How many executors have had the job; absent while none has. */
  attempts?: number;
  /** How the job ended; absent while it has not, or when BullMQ itself gave the job up (see failedReason). */
  outcome?: NbexecOutcome;
  failedReason?: string;
  /** It was cancelled, and its executor is about to end it. */
  cancelling?: boolean;
}

/** The functions' side of the queue: they add jobs and look at them. Executors fetch them with a BullMQ worker. */
export class NbexecQueue {
  readonly #queue: Queue<NbexecJobData, NbexecOutcome>;
  readonly #redis: Redis;
  readonly #retentionSeconds: number;

  /**
   * @param redis a client that fails fast; it stays the caller's to close
   * @param retentionSeconds how long an ended job can be looked at
   * @param onError takes faults of the connection, which requests report on their own
   */
  constructor(queueName: string, redis: Redis, retentionSeconds: number, onError: (error: Error) => void) {
    this.#queue = new Queue(queueName, { connection: redis, prefix: KEY_PREFIX });
    this.#queue.on('error', onError);
    this.#redis = redis;
    this.#retentionSeconds = retentionSeconds;
  }

  /**
   * Puts a job on the queue; when this resolves, Redis has it. Adding a job that exists already changes nothing,
   * so a caller who lost the answer may add again.
   *
   * @returns the time of enqueueing in milliseconds since the epoch
   */
  async add(jobId: string, data: NbexecJobData): Promise<number> {
    this.#assertConnected();
    const keep = { age: this.#retentionSeconds };
    const job = await this.#queue.add(JOB_NAME, data, { jobId, removeOnComplete: keep, removeOnFail: keep });
    return job.timestamp;
  }

  /** @returns the job, or undefined when it never was, or ended longer ago than the retention */
  async find(jobId: string): Promise<JobSnapshot | undefined> {
    this.#assertConnected();
    // The state is asked for first: a job that ends between the two answers shows its end in the second.
    const [state, job, cancelling] = await Promise.all([
      this.#queue.getJobState(jobId),
      Job.fromId<NbexecJobData, NbexecOutcome>(this.#queue, jobId),
      isCancelled(this.#redis, jobId),
    ]);
    if (!job) return undefined;
    // BullMQ removes ended jobs only when others end, so on a quiet queue they outlive their retention.
    if (job.finishedOn !== undefined && Date.now() - job.finishedOn > this.#retentionSeconds * 1_000) {
      return undefined;
    }
    if (job.finishedOn !== undefined) return snapshot(jobId, job, 'completed');
    return { ...snapshot(jobId, job, state), ...(cancelling ? { cancelling } : {}) };
  }

  /** Cancels a job that is there: one that waits has ended with that, one that runs will soon. */
  async cancel(job: JobSnapshot): Promise<CancelAnswer> {
    this.#assertConnected();
    // A run whose executor dies, and the next, and so on, is over by then.
    const ttlSeconds = this.#retentionSeconds + job.data.timeout_seconds;
    return cancelJob(this.#redis, this.#queue.name, job.id, ttlSeconds);
  }

  /** BullMQ waits for a first connection without a limit; a request must not. */
  #assertConnected(): void {
    if (this.#redis.status !== 'ready') throw new Error('Redis is not connected');
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }
}

function snapshot(id: string, job: Job<NbexecJobData, NbexecOutcome>, bullState: string): JobSnapshot {
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
const attemptsOf = (job: Job<NbexecJobData>): number =>
  (job.data.lost_attempts ?? 0) + job.stalledCounter + 1;

const STATES: Partial<Record<string, JobSnapshot['state']>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  'waiting-children': 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'ended',
  failed: 'ended',
};
