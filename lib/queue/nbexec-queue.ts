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

/** What BullMQ knows of a job, checked. Times are milliseconds since the epoch. */
export interface JobSnapshot {
  id: string;
  data: NbexecJobData;
  state: 'waiting' | 'delayed' | 'active' | 'ended';
  enqueuedAtMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  progress?: JobProgress;
  /** How the job ended; absent while it has not, or when BullMQ itself gave the job up (see failedReason). */
  outcome?: NbexecOutcome;
  failedReason?: string;
}

/** The functions' side of the queue: they add jobs and look at them. Executors fetch them with a BullMQ worker. */
export class NbexecQueue {
  readonly #queue: Queue<NbexecJobData, NbexecOutcome>;
  readonly #retentionSeconds: number;

  /**
   * @param redis a client that fails fast; it stays the caller's to close
   * @param retentionSeconds how long an ended job can be looked at
   * @param onError takes faults of the connection, which requests report on their own
   */
  constructor(queueName: string, redis: Redis, retentionSeconds: number, onError: (error: Error) => void) {
    this.#queue = new Queue(queueName, { connection: redis, prefix: KEY_PREFIX });
    this.#queue.on('error', onError);
    this.#retentionSeconds = retentionSeconds;
  }

  /**
   * Puts a job on the queue; when this resolves, Redis has it. Adding a job that exists already changes nothing,
   * so a caller who lost the answer may add again.
   *
   * @returns the time of enqueueing in milliseconds since the epoch
   */
  async add(jobId: string, data: NbexecJobData): Promise<number> {
    const keep = { age: this.#retentionSeconds };
    const job = await this.#queue.add(JOB_NAME, data, { jobId, removeOnComplete: keep, removeOnFail: keep });
    return job.timestamp;
  }

  /** @returns the job, or undefined when it never was, or ended longer ago than the retention */
  async find(jobId: string): Promise<JobSnapshot | undefined> {
    // The state is asked for first: a job that ends between the two answers shows its end in the second.
    const [state, job] = await Promise.all([this.#queue.getJobState(jobId), Job.fromId(this.#queue, jobId)]);
    if (!job) return undefined;
    // BullMQ removes ended jobs only when others end, so on a quiet queue they outlive their retention.
    if (job.finishedOn !== undefined && Date.now() - job.finishedOn > this.#retentionSeconds * 1_000) {
      return undefined;
    }
    return snapshot(jobId, job, job.finishedOn === undefined ? state : 'completed');
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }
}

function snapshot(id: string, job: Job<NbexecJobData, NbexecOutcome>, bullState: string): JobSnapshot {
  const state = STATES[bullState] ?? 'waiting';
  const progress = jobProgress.safeParse(job.progress).data;
  const outcome = nbexecOutcome.safeParse(job.returnvalue).data;
  return {
    id,
    data: nbexecJobData.parse(job.data),
    state,
    enqueuedAtMs: job.timestamp,
    ...(job.processedOn === undefined ? {} : { startedAtMs: job.processedOn }),
    ...(job.finishedOn === undefined ? {} : { finishedAtMs: job.finishedOn }),
    ...(progress ? { progress } : {}),
    ...(state === 'ended' && outcome ? { outcome } : {}),
    ...(job.failedReason ? { failedReason: job.failedReason } : {}),
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
