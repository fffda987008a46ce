import { createIORedisClient, Job, Queue, type IRedisClient } from 'bullmq';
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
import { placeCommand, UNPLACED } from './fair-order.ts';
import { replicated } from './redis.ts';
import { secondsOf, startsInSeconds, type Pace } from './start-estimate.ts';
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
  /** In how many seconds a job that waits may be started, as far as can be told. */
  startsInSeconds?: number;
}

// Beyond the retention, by which time a sweep has removed the job with its notebooks.
const REMOVED_BY_BULLMQ_SECONDS = 3_600;

/** The functions' side of the queue: they add jobs and look at them. Executors fetch them with a BullMQ worker. */
export class NbexecQueue {
  readonly #queue: Queue<NbexecJobData, NbexecOutcome>;
  readonly #redis: Redis;
  /** The same as BullMQ sees it. */
  readonly #client: IRedisClient;
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
    this.#client = createIORedisClient(redis);
    this.#retentionSeconds = retentionSeconds;
  }

  /**
   * Puts a job on the queue; when this resolves, Redis has it. Adding a job that exists already changes nothing,
   * so a caller who lost the answer may add again.
   *
   * @throws {NotReplicatedError} when a failover might lose it
   * @returns when it was enqueued, and when it may start
   */
  async add(
    jobId: string,
    data: NbexecJobData,
  ): Promise<Required<Pick<JobSnapshot, 'enqueuedAtMs' | 'startsInSeconds'>>> {
    this.#assertConnected();
    const keep = { age: this.#retentionSeconds + REMOVED_BY_BULLMQ_SECONDS };
    const options = { priority: UNPLACED, removeOnComplete: keep, removeOnFail: keep };
    const job = new Job(this.#queue, JOB_NAME, data, options, jobId);
    await this.#queue.waitUntilReady();
    // Together, so that no job is there without its place among the others.
    const transaction = this.#client.multi();
    await job.addJob(transaction);
    transaction.runCommand('eval', placeCommand(this.#queue.name, jobId, data));
    const replies = (await replicated(this.#redis, () => transaction.exec())) ?? [];
    for (const [error] of replies) if (error) throw error;
    return { enqueuedAtMs: job.timestamp, startsInSeconds: secondsOf(replies[1]?.[1] as Pace) };
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
    // It may not have been swept yet.
    if (job.finishedOn !== undefined && Date.now() - job.finishedOn > this.#retentionSeconds * 1_000) {
      return undefined;
    }
    if (job.finishedOn !== undefined) return snapshot(jobId, job, 'completed');
    const found = { ...snapshot(jobId, job, state), ...(cancelling ? { cancelling } : {}) };
    if (found.state !== 'waiting') return found;
    return { ...found, startsInSeconds: await startsInSeconds(this.#redis, this.#queue.name, jobId) };
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
  (job.data.lost_attempts ?? 0) + (job.data.lost_connections ?? 0) + job.stalledCounter + 1;

const STATES: Partial<Record<string, JobSnapshot['state']>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  'waiting-children': 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'ended',
  failed: 'ended',
};
