import { randomUUID } from 'node:crypto';
import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { KEY_PREFIX, type NbexecJobData, type NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';
import type { Logger } from '../../../lib/logger.ts';
import { instant, type Instant } from '../deadline.ts';
import { MAX_STALLED } from './attempts.ts';
import { JobLockLostError } from './errors.ts';

type NbexecJob = Job<NbexecJobData, NbexecOutcome>;

/** A job under a lock of ours. */
export interface TakenJob {
  readonly job: NbexecJob & { id: string };
  /** The lock's value: names this attempt and no other. */
  readonly token: string;
  /** When the command was sent that took it: the lock holds from then on. */
  readonly sent: Instant;
}

/** Writes a job's data only under the job's lock; BullMQ's own call does it under anybody's. */
const WRITE_DATA = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'data', ARGV[2])
return 1`;

const FETCH_WAIT_SECONDS = 2;

/**
 * The executor's side of the queue, with a BullMQ worker that fetches by hand: BullMQ's own loop may start a job after
 * it was told to close, and does not tell a processor that its job's lock is lost. It also looks for the jobs of
 * executors that died.
 */
export class JobQueue {
  readonly #redis: Redis;
  readonly #lockMs: number;
  readonly #worker: FetchingWorker;

  constructor(queueName: string, redis: Redis, lockMs: number, log: Logger) {
    this.#redis = redis;
    this.#lockMs = lockMs;
    this.#worker = new FetchingWorker(queueName, null, {
      connection: redis,
      prefix: KEY_PREFIX,
      autorun: false,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: MAX_STALLED,
      drainDelay: FETCH_WAIT_SECONDS,
    });
    this.#worker.on('error', (error) => log.warn({ err: error }, 'queue connection'));
    this.#worker.on('stalled', (jobId) => log.warn({ job_id: jobId }, 'took a job from a dead executor'));
  }

  /** Begins to look for jobs of executors that died. */
  async start(): Promise<void> {
    await this.#worker.startStalledCheckTimer();
  }

  /** @returns the next job, or undefined when none has come for a while */
  async take(): Promise<TakenJob | undefined> {
    const token = randomUUID();
    const job = await this.#worker.getNextJob(token);
    if (!job) return undefined;
    return { job: job as NbexecJob & { id: string }, token, sent: this.#worker.sent };
  }

  /** Ends the waiting of {@link take} for a job to come; what it is about to take is taken. */
  async stopWaiting(): Promise<void> {
    await this.#worker.backend.disconnectBlocking();
    // It may have been woken for a job in the last moment, when nobody else was.
    await this.#wake();
  }

  /** @returns whether the lock is still ours */
  async extendLock({ job, token }: TakenJob): Promise<boolean> {
    return (await job.extendLock(token, this.#lockMs)) !== 0;
  }

  /** @throws {JobLockLostError} */
  async writeData({ job, token }: TakenJob, data: NbexecJobData): Promise<void> {
    const keys = [this.#worker.toKey(`${job.id}:lock`), this.#worker.toKey(job.id)];
    const written = await this.#redis.eval(WRITE_DATA, keys.length, ...keys, token, JSON.stringify(data));
    if (written !== 1) throw new JobLockLostError('The lock of the job is lost');
    job.data = data;
  }

  /** Puts the job back to the front of those with its priority; that it was taken counts for nothing. */
  async giveBack({ job, token }: TakenJob): Promise<void> {
    await job.moveToWait(token);
    // BullMQ wakes nobody for a job with a priority that comes back: others would find it when their wait is over.
    await this.#wake();
  }

  /** Puts the job back with other data, all or nothing, to be taken after a delay; it keeps its priority. */
  async giveBackLater({ job, token }: TakenJob, data: NbexecJobData, delayMs: number): Promise<void> {
    await this.#worker.backend.moveToDelayed(job.id, Date.now(), delayMs, token, {
      skipAttempt: true,
      fieldsToUpdate: { data: JSON.stringify(data) },
    });
  }

  /** Ends the job; refused when its lock is not ours. */
  async complete({ job, token }: TakenJob, outcome: NbexecOutcome): Promise<void> {
    await job.moveToCompleted(outcome, token, false);
  }

  /** Whether the job has ended: by us perhaps, with only the answer lost. */
  async hasEnded({ job }: TakenJob): Promise<boolean> {
    return (await this.#redis.hexists(this.#worker.toKey(job.id), 'finishedOn')) === 1;
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }

  /** Makes one executor that waits look for a job. */
  async #wake(): Promise<void> {
    await this.#redis.zadd(this.#worker.toKey('marker'), 0, '0');
  }
}

/** Notes when the command was sent that takes a job: BullMQ may have waited for one long before. */
class FetchingWorker extends Worker<NbexecJobData, NbexecOutcome> {
  sent: Instant = instant();

  protected override moveToActive(token: string, name?: string) {
    this.sent = instant();
    return super.moveToActive(token, name);
  }
}
