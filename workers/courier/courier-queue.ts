import { DelayedError, Queue, UnrecoverableError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { COURIER_JOB, MAX_ATTEMPTS, type CourierKind } from '../../lib/contract/courier-job.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { settledOrAborted } from '../../lib/abort.ts';
import type { Logger } from '../../lib/logger.ts';
import { GivenUpError, RetryLaterError } from './errors.ts';
import type { CourierMetrics } from './metrics.ts';
import { retryDelayMs } from './retry-delay.ts';

/** A job while it is tried. */
export interface CourierTask {
  /** As it was added. */
  data: unknown;
  /** Counted from 1, those that were lost with their courier included. */
  attempt: number;
  /** How many of them were lost with their courier, which died or had no Redis for longer than its lock, as far as it is known. */
  losses: number;
  /** Whether there is no other after this one. */
  isLast: boolean;
  /** Aborted when the courier has to go, or may have lost the job: it is begun anew, by another courier or by this one. */
  signal: AbortSignal;
}

/** A job that is being done here. */
interface Held {
  readonly lost: AbortController;
  /** Of its lock. */
  readonly deadline: NodeJS.Timeout;
}

/** Does jobs of one kind. @throws {RetryLaterError} {@link GivenUpError} */
export type CourierHandler = (task: CourierTask) => Promise<void>;

export interface CourierQueueOptions<Kind extends CourierKind> {
  queueName: string;
  redis: Redis;
  /** Of all kinds that wait in this queue. */
  handlers: Readonly<Record<Kind, CourierHandler>>;
  /** How many jobs are done at once. */
  slots: number;
  /** How long the jobs of a courier that is gone stay taken. */
  lockMs: number;
  /** The pause after the first attempt that failed. */
  firstRetryMs: number;
  metrics: CourierMetrics;
  log: Logger;
}

// BullMQ ends such a job without asking its handler, which may have to tell somebody: one that its courier may die of looks at
// `losses` long before. The others have come into many restarts.
const MAX_STALLED = 100;

const LOST = new Error('the lock of the job could not be renewed');

/** Later than at once: a worker that closes may be waiting for a job still, and would take it again. */
const GIVEN_BACK_MS = 1_000;

/** A queue of the courier's own: it adds jobs, and does them, several at a time and each until it is done or given up. */
export class CourierQueue<Kind extends CourierKind> {
  readonly #options: CourierQueueOptions<Kind>;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #stop = new AbortController();
  /** By the job's id. */
  readonly #held = new Map<string, Held>();
  /** What of lost jobs is still going on, by their ids. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(options: CourierQueueOptions<Kind>) {
    const { queueName, redis, slots, lockMs, firstRetryMs, log } = options;
    this.#options = options;
    const common = { connection: redis, prefix: KEY_PREFIX };
    this.#queue = new Queue(queueName, common);
    this.#worker = new Worker(queueName, (job, token) => this.#do(job, token), {
      ...common,
      autorun: false,
      concurrency: slots,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: MAX_STALLED,
      settings: {
        backoffStrategy: (failed, _type, error) =>
          retryDelayMs(failed, firstRetryMs, error instanceof RetryLaterError ? error.afterMs : undefined),
      },
    });
    const onError = (error: Error) => log.warn({ err: error }, 'queue connection');
    this.#queue.on('error', onError);
    this.#worker.on('error', onError);
    this.#worker.on('stalled', (jobId) =>
      log.warn({ courier_job: jobId }, 'took a job that its courier had lost'),
    );
    this.#worker.on('locksRenewed', ({ jobIds }) => {
      for (const id of jobIds) this.#held.get(id)?.deadline.refresh();
    });
    this.#worker.on('lockRenewalFailed', (jobIds) => {
      for (const id of jobIds) this.#held.get(id)?.lost.abort(LOST);
    });
  }

  /** Begins to do jobs. */
  start(): void {
    this.#worker
      .run()
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'courier stands still'));
  }

  /** Adds a job, unless there is one with this id; when this resolves, Redis has it. */
  async add(kind: Kind, id: string, data: object): Promise<void> {
    await this.#queue.add(kind, data, { jobId: id, ...COURIER_JOB });
  }

  /** Takes no more jobs, and waits for those that are being done, or given back. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the courier has to go'));
    await this.#worker.close();
    await Promise.all(this.#ending.values());
    await this.#queue.close();
  }

  async #do(job: Job, token?: string): Promise<void> {
    const id = job.id as string;
    const { lockMs } = this.#options;
    const held = this.#held.get(id);
    if (held) {
      held.lost.abort(LOST);
      // BullMQ renews locks by the jobs' ids: with the end of that attempt this one's would be renewed no more.
      return this.#giveBack(job, token);
    }
    const lost = new AbortController();
    // BullMQ tells of a lock that is lost when Redis answers again. Another courier may have taken the job by then.
    const deadline = setTimeout(() => lost.abort(LOST), lockMs);
    this.#held.set(id, { lost, deadline });
    try {
      const ending = this.#ending.get(id);
      if (ending) await settledOrAborted(ending, AbortSignal.any([lost.signal, AbortSignal.timeout(lockMs)]));
      await this.#attempt(job, token, lost.signal);
    } finally {
      clearTimeout(deadline);
      this.#held.delete(id);
    }
  }

  /** Costs no attempt. @throws {DelayedError} by which BullMQ leaves the job alone */
  async #giveBack(job: Job, token?: string): Promise<never> {
    await job.moveToDelayed(Date.now() + GIVEN_BACK_MS, token);
    throw new DelayedError();
  }

  /** Of a job that was lost: what aborts it may take a moment. */
  #awaitEnd(id: string, handled: Promise<void>): void {
    const { log } = this.#options;
    const ending = handled
      .catch((error: unknown) => log.info({ err: error, courier_job: id }, 'lost courier job ended'))
      .finally(() => {
        if (this.#ending.get(id) === ending) this.#ending.delete(id);
      });
    this.#ending.set(id, ending);
  }

  async #attempt(job: Job, token: string | undefined, lost: AbortSignal): Promise<void> {
    const { handlers, metrics, log } = this.#options;
    const kind = job.name as Kind;
    const isLast = job.attemptsMade + 1 >= MAX_ATTEMPTS;
    const task = {
      data: job.data as unknown,
      attempt: job.attemptsStarted,
      losses: job.stalledCounter,
      isLast,
      signal: AbortSignal.any([this.#stop.signal, lost]),
    };
    const known = { courier_job: job.id, attempt: task.attempt };
    metrics.active.inc({ kind });
    try {
      // One that was on its way when the courier began to close.
      task.signal.throwIfAborted();
      const handler: CourierHandler | undefined = handlers[kind];
      // A newer courier may.
      if (!handler) throw new RetryLaterError(`This courier does no jobs of the kind ${kind} here`);
      const handled = handler(task);
      await settledOrAborted(handled, lost);
      if (lost.aborted) this.#awaitEnd(job.id as string, handled);
      lost.throwIfAborted();
      metrics.attempts.inc({ kind, outcome: 'done' });
      log.info(known, 'courier job done');
    } catch (error) {
      if (lost.aborted) {
        log.warn(known, 'courier job lost');
        // It is whoever's took it, or will: BullMQ is to write nothing of it any more.
        throw new DelayedError();
      }
      const { reason } = this.#stop.signal;
      if (this.#stop.signal.aborted && [error, (error as Error).cause].includes(reason)) {
        log.info(known, 'courier job given back');
        return await this.#giveBack(job, token);
      }
      const isFinal = isLast || error instanceof GivenUpError;
      metrics.attempts.inc({ kind, outcome: isFinal ? 'failed' : 'retried' });
      log[isFinal ? 'error' : 'warn'](
        { err: error, ...known },
        isFinal ? 'courier job given up' : 'courier job failed',
      );
      throw error instanceof GivenUpError ? new UnrecoverableError(error.message) : error;
    } finally {
      metrics.active.dec({ kind });
    }
  }
}
