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
import { jobEnded, type LiveEvent } from '../../lib/contract/live-event.ts';
import type { Logger } from '../../lib/logger.ts';
import { ENDED_EVENTS_TTL_SECONDS, wakeWatchers, writeEvents } from '../../lib/queue/live-events.ts';
import { cancelJob, cancelledAmong, cancelledOutcome, sealEnd } from '../../lib/queue/verdict.ts';
import { Cancellations } from './cancellations.ts';
import { LiveReport } from './live-report.ts';

/** Thrown by a run that could not end the job, because its lab failed: it goes back to the queue. */
export class GiveBackError extends Error {
  override readonly name: string = 'GiveBackError';
}

/** The executor is asked to stop: what runs goes back to the queue, and that costs it nothing. */
export class ExecutorStopsError extends GiveBackError {
  override readonly name = 'ExecutorStopsError';
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
  /** Aborted when the job's owner cancels it: it is then to be ended soon, with what there is. */
  readonly cancelled: AbortSignal;
  readonly log: Logger;
  readonly reportProgress: (progress: JobProgress) => void;
  /** Remembers, for a job that must not be rerun, that its notebook has begun. */
  readonly markFirstCellStarted: () => Promise<void>;
  /** Tells those who watch the job what happens. */
  readonly tell: (event: LiveEvent) => void;
  /** From now on the job can be cancelled no more; may be called, beside the last writes, once the end is known. */
  readonly seal: () => Promise<unknown>;
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
// On the way out nothing waits longer than this for Redis; what could not be given back is recovered as stalled.
const REDIS_PATIENCE_MS = 5_000;
const RETRY_FETCH_MS = 1_000;
const CANCEL_TTL_SECONDS = 86_400;

/**
 * Drains the queue into the lab. Jobs are fetched by hand: BullMQ's own loop may start a job after it was told to
 * close, and does not tell a processor that its job's lock is lost.
 */
export class NbexecWorker {
  readonly #options: NbexecWorkerOptions;
  readonly #worker: Worker<NbexecJobData, NbexecOutcome>;
  readonly #running = new Map<Promise<void>, AbortController>();
  readonly #cancellations: Cancellations;
  #draining = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: NbexecWorkerOptions) {
    this.#options = options;
    this.#cancellations = new Cancellations(options.redis, options.log);
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
    this.#cancellations.start();
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
    const drained = new AbortController();
    const abort = () => {
      for (const run of this.#running.values()) run.abort(reason);
      drained.abort();
    };
    if (graceMs <= 0) abort();
    const timer = setTimeout(abort, Math.min(graceMs, MAX_TIMER_MS));
    await withinPatience(this.#loop);
    const ended = Promise.all(this.#running.keys());
    await Promise.race([ended, aborted(drained.signal)]);
    await withinPatience(ended);
    clearTimeout(timer);
  }

  /** Fetches no more; what runs goes on. */
  stopFetching(): void {
    this.#draining = true;
  }

  async close(): Promise<void> {
    this.#cancellations.close();
    await withinPatience(this.#worker.close());
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
      if (this.#draining) {
        await job.moveToWait(token);
        return await this.#endIfCancelled(job.id as string, this.#options.log);
      }
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
    const id = job.id as string;
    const attempt = attemptOf(job);
    const log = this.#options.log.child({ job_id: id, attempt });
    const renewal = setInterval(() => void this.#renew(job, token, abort, log), this.#options.lockMs / 3);
    const cancelled = new AbortController();
    this.#cancellations.watch(id, cancelled);
    const live = new LiveReport((events) => this.#writeEvents(job, abort.signal, events, log));
    let sealed: Promise<boolean> | undefined;
    const seal = () => (sealed ??= sealEnd(this.#options.redis, id, token));
    try {
      live.take({ type: 'job_started', attempt });
      const tell = (event: LiveEvent) => live.take(event);
      // Not read before it is known to be readable.
      const held = () => this.#held(job, token, abort.signal, log);
      let outcome =
        this.#refusal(job) ??
        (await this.#options.run({ ...held(), cancelled: cancelled.signal, tell, seal }));
      if (outcome.error?.reason !== 'cancelled' && !(await seal())) outcome = asCancelled(outcome);
      abort.signal.throwIfAborted();
      this.#options.assertHeld();
      await job.moveToCompleted(outcome, token, false);
      log.info(
        { outcome: outcome.error?.reason ?? (outcome.ipynb_error ? 'ipynb_error' : 'ok') },
        'job ended',
      );
      // Only now: whoever is woken by it must find the job ended.
      await live.close(jobEnded(outcome.error, outcome.ipynb_error?.name));
    } catch (error) {
      await this.#leave(job, token, error, abort.signal, log);
      await live.close();
      await this.#endIfCancelled(id, log);
      // Perhaps the end was committed, and only the answer lost.
      await wakeWatchers(this.#options.redis, id).catch(() => undefined);
    } finally {
      this.#cancellations.forget(id);
      clearInterval(renewal);
    }
  }

  /** A job that went back to the queue may have nobody who would end it there. */
  async #endIfCancelled(jobId: string, log: Logger): Promise<void> {
    try {
      const { redis, queueName } = this.#options;
      const [cancelled] = await cancelledAmong(redis, [jobId]);
      if (cancelled) await cancelJob(redis, queueName, jobId, CANCEL_TTL_SECONDS);
    } catch (error) {
      log.warn({ err: error }, 'cancelled job not ended: its next executor will do it');
    }
  }

  /** Nobody waits for these, and a watcher who misses some has the notebook in the end. */
  async #writeEvents(
    job: Job<NbexecJobData>,
    signal: AbortSignal,
    events: LiveEvent[],
    log: Logger,
  ): Promise<void> {
    try {
      const ended = events.at(-1)?.type === 'job_ended';
      // Another may have the job by now; its committed end however is a fact.
      if (!ended) {
        signal.throwIfAborted();
        this.#options.assertHeld();
      }
      const ttlSeconds = ENDED_EVENTS_TTL_SECONDS + (ended ? 0 : (job.data.timeout_seconds ?? 0));
      await writeEvents(this.#options.redis, job.id as string, events, ttlSeconds);
    } catch (error) {
      log.debug({ err: error }, 'events not written');
    }
  }

  async #renew(job: Job, token: string, abort: AbortController, log: Logger): Promise<void> {
    try {
      const extended = await job.extendLock(token, this.#options.lockMs);
      if (extended === 0) abort.abort(new JobLockLostError('The lock of the job is lost'));
      // A connection that is dead without saying so tells of no cancel.
      else await this.#cancellations.check([job.id as string]);
    } catch (error) {
      log.warn({ err: error }, 'job lock not renewed');
    }
  }

  /** Puts a job that could not be ended back, where it is still ours to put. */
  async #leave(
    job: Job<NbexecJobData, NbexecOutcome>,
    token: string,
    error: unknown,
    signal: AbortSignal,
    log: Logger,
  ): Promise<void> {
    if (error instanceof JobLockLostError) return log.error({ err: error }, 'job left to another executor');
    const expected = error instanceof GiveBackError;
    log[expected ? 'warn' : 'error']({ err: error }, 'job given back');
    try {
      if (!(error instanceof ExecutorStopsError)) {
        await this.#options.onTrouble(error);
        if (signal.reason instanceof JobLockLostError) throw signal.reason;
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
    const lost = attemptOf(job) - 1;
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

  #held(
    job: Job<NbexecJobData>,
    token: string,
    signal: AbortSignal,
    log: Logger,
  ): Omit<HeldJob, 'cancelled' | 'tell' | 'seal'> {
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

/** From 1; BullMQ's own count also has what was given back unspent. */
const attemptOf = (job: Job<NbexecJobData>): number => (job.data.lost_attempts ?? 0) + job.stalledCounter + 1;

/** The cancel came first: it is how the job ends, with the notebook that there is. */
function asCancelled(outcome: NbexecOutcome): NbexecOutcome {
  const ended = { ...outcome, ...cancelledOutcome(outcome.error?.cell_index) };
  delete ended.ipynb_error;
  delete ended.traceback;
  return ended;
}

/** The longest that setTimeout can count. */
const MAX_TIMER_MS = 2 ** 31 - 1;

async function withinPatience(work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, REDIS_PATIENCE_MS);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
