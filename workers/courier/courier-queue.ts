import { DelayedError, Queue, UnrecoverableError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { COURIER_JOB, MAX_ATTEMPTS, type CourierKind } from '../../lib/contract/courier-job.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import type { Logger } from '../../lib/logger.ts';
import { GivenUpError, RetryLaterError } from './errors.ts';
import type { CourierMetrics } from './metrics.ts';
import { retryDelayMs } from './retry-delay.ts';

/** A job while it is tried. */
export interface CourierTask {
  /** As it was added. */
  data: unknown;
  /** Counted from 1, those that died with their courier included. */
  attempt: number;
  /** How many of them died with their courier, as far as it is known. */
  deaths: number;
  /** Whether there is no other after this one. */
  isLast: boolean;
  /** Aborted when the courier has to go: what then rejects is given back, and begun anew by another courier. */
  signal: AbortSignal;
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
  /** How long the jobs of a courier that died stay taken. */
  lockMs: number;
  /** The pause after the first attempt that failed. */
  firstRetryMs: number;
  metrics: CourierMetrics;
  log: Logger;
}

// BullMQ ends such a job without asking its handler, which may have to tell somebody: one that its courier may die of looks at
// `deaths` long before. The others have come into many restarts.
const MAX_STALLED = 100;

/** Later than at once: a worker that closes may be waiting for a job still, and would take it again. */
const GIVEN_BACK_MS = 1_000;

/** A queue of the courier's own: it adds jobs, and does them, several at a time and each until it is done or given up. */
export class CourierQueue<Kind extends CourierKind> {
  readonly #options: CourierQueueOptions<Kind>;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #stop = new AbortController();

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
    this.#worker.on('stalled', (jobId) => log.warn({ courier_job: jobId }, 'took a job from a dead courier'));
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
    await this.#queue.close();
  }

  async #do(job: Job, token?: string): Promise<void> {
    const { handlers, metrics, log } = this.#options;
    const kind = job.name as Kind;
    const isLast = job.attemptsMade + 1 >= MAX_ATTEMPTS;
    const task = {
      data: job.data as unknown,
      attempt: job.attemptsStarted,
      deaths: job.stalledCounter,
      isLast,
      signal: this.#stop.signal,
    };
    const known = { courier_job: job.id, attempt: task.attempt };
    metrics.active.inc({ kind });
    try {
      // One that was on its way when the courier began to close.
      task.signal.throwIfAborted();
      const handler: CourierHandler | undefined = handlers[kind];
      // A newer courier may.
      if (!handler) throw new RetryLaterError(`This courier does no jobs of the kind ${kind} here`);
      await handler(task);
      metrics.attempts.inc({ kind, outcome: 'done' });
      log.info(known, 'courier job done');
    } catch (error) {
      const { reason } = this.#stop.signal;
      if (this.#stop.signal.aborted && [error, (error as Error).cause].includes(reason)) {
        await job.moveToDelayed(Date.now() + GIVEN_BACK_MS, token);
        log.info(known, 'courier job given back');
        throw new DelayedError();
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
