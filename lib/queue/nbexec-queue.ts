import { createIORedisClient, Job, Queue, type IRedisClient } from 'bullmq';
import type { Redis } from 'ioredis';
import type { CallbackDelivery } from '../contract/callback.ts';
import {
  JOB_NAME,
  KEY_PREFIX,
  type JobProgress,
  type NbexecJobData,
  type NbexecOutcome,
} from '../contract/nbexec-job.ts';
import { readDeliveries } from './callbacks.ts';
import { placeCommand, UNPLACED } from './fair-order.ts';
import { ownJobWrites, readOwnJobs, type OwnJobsCursor } from './own-jobs.ts';
import { replicated } from './redis.ts';
import { parsed, snapshot, type BullFields } from './job-snapshot.ts';
import { secondsOf, startsInSeconds, type Pace } from './start-estimate.ts';
import { writeArgs, type KeyWrite } from './write-script.ts';
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
  /** How far its callback has come; absent without one, and before the first attempt is over. */
  delivery?: CallbackDelivery;
}

/** A job in its caller's list. */
export interface ListedJob {
  place: OwnJobsCursor;
  job: JobSnapshot;
}

/** What Redis answered to each command of a transaction. */
type Replies = [error: Error | null, reply: unknown][];

// Longer than a job waits, runs and is kept.
const LISTED_SECONDS = 14 * 86_400;

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
   * @param along what is to be written with it, all or nothing: nobody finds the job without it
   * @throws {NotReplicatedError} when a failover might lose it
   * @returns when it was enqueued, and when it may start
   */
  async add(
    jobId: string,
    data: NbexecJobData,
    along: readonly KeyWrite[] = [],
  ): Promise<Required<Pick<JobSnapshot, 'enqueuedAtMs' | 'startsInSeconds'>>> {
    this.#assertConnected();
    const keep = { age: this.#retentionSeconds + REMOVED_BY_BULLMQ_SECONDS };
    const options = { priority: UNPLACED, removeOnComplete: keep, removeOnFail: keep };
    const job = new Job(this.#queue, JOB_NAME, data, options, jobId);
    await this.#queue.waitUntilReady();
    // Together, so that no job is there without its place among the others.
    const transaction = this.#client.multi();
    const listed = [this.#queue.name, data.owner, jobId, job.timestamp, LISTED_SECONDS] as const;
    transaction.runCommand('eval', writeArgs([...along, ...ownJobWrites(...listed)]));
    await job.addJob(transaction);
    transaction.runCommand('eval', placeCommand(this.#queue.name, jobId, data));
    const replies = await this.#run(transaction);
    return { enqueuedAtMs: job.timestamp, startsInSeconds: secondsOf(replies.at(-1)?.[1] as Pace) };
  }

  /** @throws what Redis or BullMQ said, when any of the commands failed */
  async #run(transaction: { exec: () => Promise<Replies | null> }): Promise<Replies> {
    try {
      const replies = (await replicated(this.#redis, () => transaction.exec())) ?? [];
      for (const [error] of replies) if (error) throw error;
      return replies;
    } catch (error) {
      // ioredis sends a script's text once on each connection, and takes it for known from then on. Where that once was
      // refused (no memory left), or Redis has forgotten it, only another connection sends it again.
      if (/^(EXECABORT|NOSCRIPT)/.test((error as Error).message)) this.#redis.disconnect(true);
      throw error;
    }
  }

  /** @returns the job, or undefined when it never was, or ended longer ago than the retention */
  async find(jobId: string): Promise<JobSnapshot | undefined> {
    this.#assertConnected();
    const found = await this.#find(jobId);
    return found && (await this.#withDeliveries([found]))[0];
  }

  async #find(jobId: string): Promise<JobSnapshot | undefined> {
    const before = await this.#job(jobId);
    // One that has ended stays as it is, and a poll of it costs one command.
    if (before === undefined || before.finishedOn !== undefined) return this.#endedJob(jobId, before);
    // The state is asked for first: a job that ends between the two answers shows its end in the second.
    const [state, job, cancelling, startsIn] = await Promise.all([
      this.#queue.getJobState(jobId),
      this.#job(jobId),
      isCancelled(this.#redis, jobId),
      startsInSeconds(this.#redis, this.#queue.name, jobId),
    ]);
    if (job === undefined || job.finishedOn !== undefined) return this.#endedJob(jobId, job);
    const found = { ...snapshot(jobId, job, state), ...(cancelling ? { cancelling } : {}) };
    return found.state === 'waiting' ? { ...found, startsInSeconds: startsIn } : found;
  }

  async #withDeliveries(jobs: JobSnapshot[]): Promise<JobSnapshot[]> {
    const told = jobs.filter(({ data }) => data.callback).map(({ id }) => id);
    const deliveries = await readDeliveries(this.#redis, told);
    return jobs.map((job) => {
      const delivery = deliveries.get(job.id);
      return delivery ? { ...job, delivery } : job;
    });
  }

  #job(jobId: string): Promise<Job<NbexecJobData, NbexecOutcome> | undefined> {
    return Job.fromId<NbexecJobData, NbexecOutcome>(this.#queue, jobId);
  }

  #endedJob(jobId: string, job: BullFields | undefined): JobSnapshot | undefined {
    return job === undefined || this.#isOver(job) ? undefined : snapshot(jobId, job, 'completed');
  }

  /**
   * Looks at a caller's newest jobs, or those behind a place in their list, newest first.
   *
   * @returns at most `limit` of them, and the place behind them when there are more
   */
  async listOwn(
    owner: string,
    limit: number,
    after?: OwnJobsCursor,
  ): Promise<{ listed: ListedJob[]; next?: OwnJobsCursor }> {
    this.#assertConnected();
    const stored = await readOwnJobs(this.#redis, this.#queue.name, owner, limit + 1, after);
    const listed = stored.slice(0, limit).flatMap(({ place, state, cancelling, fields }) => {
      const job = parsed(fields);
      if (this.#isOver(job)) return [];
      const isCancelling = cancelling && job.finishedOn === undefined;
      const found = { ...snapshot(place.jobId, job, state), ...(isCancelling ? { cancelling } : {}) };
      return [{ place, job: found }];
    });
    const next = stored.length > limit ? stored[limit - 1]?.place : undefined;
    const jobs = await this.#withDeliveries(listed.map(({ job }) => job));
    const shown = listed.map(({ place }, n) => ({ place, job: jobs[n] as JobSnapshot }));
    return { listed: shown, ...(next && { next }) };
  }

  /** Cancels a job that is there: one that waits has ended with that, one that runs will soon. */
  async cancel(job: JobSnapshot): Promise<CancelAnswer> {
    this.#assertConnected();
    // A run whose executor dies, and the next, and so on, is over by then.
    const ttlSeconds = this.#retentionSeconds + job.data.timeout_seconds;
    return cancelJob(this.#redis, this.#queue.name, job.id, ttlSeconds);
  }

  /** Whether a job ended longer ago than it can be looked at; it may not have been swept yet. */
  #isOver({ finishedOn }: BullFields): boolean {
    return finishedOn !== undefined && Date.now() - finishedOn > this.#retentionSeconds * 1_000;
  }

  /** BullMQ waits for a first connection without a limit; a request must not. */
  #assertConnected(): void {
    if (this.#redis.status !== 'ready') throw new Error('Redis is not connected');
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }
}
