import { randomUUID } from 'node:crypto';
import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { errorOf } from '../../lib/contract/execution-error.ts';
import {
  KEY_PREFIX,
  nbexecJobData,
  type JobProgress,
  type NbexecJobData,
  type NbexecOutcome,
} from '../../lib/contract/nbexec-job.ts';
import type { Logger } from '../../lib/logger.ts';

/** Thrown by a run that could not end the job through no fault of its own: it goes back to the queue, unspent. */
export class GiveBackError extends Error {
  override readonly name = 'GiveBackError';
}

/** Another executor may have the job by now: nothing may be written for it any more. */
export class JobLockLostError extends Error {
  override readonly name = 'JobLockLostError';
}

/** A job that this executor holds. */
export interface HeldJob {
  readonly id: string;
  readonly data: NbexecJobData;
  /** Names this attempt and no other; the result body is kept under it. */
  readonly attemptId: string;
  readonly enqueuedAtMs: number;
  /** Aborted when the job must be left alone at once: its lock or the lease is lost, or the grace is over. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly reportProgress: (progress: JobProgress) => void;
  /** Remembers, for a job that must not be rerun, that its notebook has begun. */
  readonly markFirstCellStarted: () => Promise<void>;
}

export interface NbexecWorkerOptions {
  queueName: string;
  redis: Redis;
  concurrency: number;
  /** How long a job stays locked without a sign of life; renewed three times as often. */
  lockMs: number;
  /** Runs one job to its outcome, or throws {@link GiveBackError}. */
  run: (job: HeldJob) => Promise<NbexecOutcome>;
  /** Throws when the lease is over; asked before anything is taken or committed. */
  assertHeld: () => void;
  /** Told before a job goes back because the lab failed it, so that the lab can be looked at first. */
  onTrouble: (error: unknown) => Promise<void>;
  log: Logger;
}

// A job whose executors or labs keep dying is ended after this many, or it would take all of them down in turn.
const MAX_STALLED = 3;
const MAX_LOST_ATTEMPTS = 5;
const FETCH_WAIT_SECONDS = 2;
const RETRY_FETCH_MS = 1_000;

/**
 * Drains the queue into the lab. Jobs are fetched by hand: BullMQ's own loop may start a job after it was told to
 * close, and does not tell a processor that its job's lock is lost.
 */
export class NbexecWorker {
  readonly #options: NbexecWorkerOptions;
  readonly #worker: Worker<NbexecJobData, NbexecOutcome>;
  readonly #running = new Map<Promise<void>, AbortController>();
  #draining = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: NbexecWorkerOptions) {
    this.#options = options;
    this.#worker = new Worker(options.queueName, null, {
      connection: options.redis,
      prefix: KEY_PREFIX,
      autorun: false,
      lockDuration: options.lockMs,
      stalledInterval: options.lockMs,
      maxStalledCount: MAX_STALLED,
      drainDelay: FETCH_WAIT_SECONDS,
    });
    this.#worker.on('error', (error) => options.log.warn({ err: error }, 'queue connection'));
    this.#worker.on('stalled', (jobId) =>
      options.log.warn({ job_id: jobId }, 'took a job from a dead executor'),
    );
  }

  /** How many jobs run now. */
  get busy(): number {
    return this.#running.size;
  }

  /** Begins to fetch jobs, and to look for those of executors that died. */
  async start(): Promise<void> {
    await this.#worker.startStalledCheckTimer();
    this.#loop = this.#fetchLoop();
  }

  /**
   * Fetches no more, lets what runs end, and gives back what has not ended within the grace.
   *
   * @param graceMs 0 gives everything back at once
   */
  async drain(graceMs: number, reason: Error): Promise<void> {
    this.#draining = true;
    const abort = () => {
      for (const run of this.#running.values()) run.abort(reason);
    };
    if (graceMs <= 0) abort();
    const timer = setTimeout(abort, graceMs);
    await this.#loop;
    await Promise.all(this.#running.keys());
    clearTimeout(timer);
  }

  /** Fetches no more; what runs goes on. */
  stopFetching(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }

  async #fetchLoop(): Promise<void> {
    while (!this.#draining) {
      if (this.#running.size >= this.#options.concurrency) await Promise.race(this.#running.keys());
      else await this.#fetchOne();
    }
  }

  async #fetchOne(): Promise<void> {
    const token = randomUUID();
    try {
      this.#options.assertHeld();
      const job = await this.#worker.getNextJob(token);
      if (!job) return;
      if (this.#draining) return void (await job.moveToWait(token));
      const abort = new AbortController();
      const running = this.#hold(job, token, abort).finally(() => this.#running.delete(running));
      this.#running.set(running, abort);
    } catch (error) {
      if (this.#draining) return;
      this.#options.log.warn({ err: error }, 'no job fetched');
      await new Promise((resolve) => setTimeout(resolve, RETRY_FETCH_MS));
    }
  }

  /** Never rejects: what happens to a job is settled here. */
  async #hold(job: Job<NbexecJobData, NbexecOutcome>, token: string, abort: AbortController): Promise<void> {
    const log = this.#options.log.child({ job_id: job.id, attempt: job.attemptsStarted });
    const renewal = setInterval(() => void this.#renew(job, token, abort, log), this.#options.lockMs / 3);
    try {
      const outcome =
        this.#refusal(job) ?? (await this.#options.run(this.#held(job, token, abort.signal, log)));
      abort.signal.throwIfAborted();
      this.#options.assertHeld();
      await job.moveToCompleted(outcome, token, false);
      log.info(
        { outcome: outcome.error?.reason ?? (outcome.ipynb_error ? 'ipynb_error' : 'ok') },
        'job ended',
      );
    } catch (error) {
      await this.#leave(job, token, error, log);
    } finally {
      clearInterval(renewal);
    }
  }

  async #renew(job: Job, token: string, abort: AbortController, log: Logger): Promise<void> {
    try {
      const extended = await job.extendLock(token, this.#options.lockMs);
      if (extended === 0) abort.abort(new JobLockLostError('The lock of the job is lost'));
    } catch (error) {
      log.warn({ err: error }, 'job lock not renewed');
    }
  }

  /** Puts a job that could not be ended back, where it is still ours to put. */
  async #leave(job: Job, token: string, error: unknown, log: Logger): Promise<void> {
    if (error instanceof JobLockLostError) return log.error({ err: error }, 'job left to another executor');
    const expected = error instanceof GiveBackError;
    log[expected ? 'warn' : 'error']({ err: error }, 'job given back');
    try {
      if (!this.#draining) {
        await this.#options.onTrouble(error);
        this.#options.assertHeld();
        await job.updateData({ ...job.data, lost_attempts: (job.data.lost_attempts ?? 0) + 1 });
      }
      this.#options.assertHeld();
      await job.moveToWait(token);
    } catch (giveBackError) {
      log.warn({ err: giveBackError }, 'job not given back: it will be recovered as stalled');
    }
  }

  /** The outcome of a job that must not be started once more. */
  #refusal(job: Job<NbexecJobData>): NbexecOutcome | undefined {
    const data = nbexecJobData.safeParse(job.data).data;
    if (!data) {
      const message = 'The job was written by a version of the service that this executor does not know';
      return { error: errorOf('executor_lost', message) };
    }
    const lost = (data.lost_attempts ?? 0) + job.stalledCounter;
    if (job.deferredFailure || lost >= MAX_LOST_ATTEMPTS) {
      const message = `The notebook was given up: its lab or executor was lost ${lost} times`;
      return { error: errorOf('executor_lost', message) };
    }
    if (data.first_cell_started) {
      const message = 'The lab or executor was lost while the notebook ran, and enable_retry is false';
      return { error: errorOf('executor_lost', message) };
    }
    return undefined;
  }

  #held(job: Job<NbexecJobData>, token: string, signal: AbortSignal, log: Logger): HeldJob {
    const data = nbexecJobData.parse(job.data);
    return {
      id: job.id as string,
      data,
      attemptId: token,
      enqueuedAtMs: job.timestamp,
      signal,
      log,
      reportProgress: (progress) => {
        job
          .updateProgress(progress)
          .catch((error: unknown) => log.debug({ err: error }, 'progress not written'));
      },
      // BullMQ sets job.data to it, so that a later change keeps it.
      markFirstCellStarted: () => job.updateData({ ...data, first_cell_started: true }),
    };
  }
}
