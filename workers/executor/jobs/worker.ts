import { aborted, MAX_TIMER_MS } from '../../../lib/abort.ts';
import { crashpoint } from '../../../lib/crashpoint.ts';
import { Attempt, type AttemptParts } from './attempt.ts';
import { Cancellations } from './cancellations.ts';
import { LabTenancy, type Isolation } from './isolation.ts';
import { JobQueue } from './job-queue.ts';
import { LoopDelay } from './loop-delay.ts';

export interface NbexecWorkerOptions extends Omit<
  AttemptParts,
  'queue' | 'cancellations' | 'firstBackoffMs'
> {
  concurrency: number;
  isolation: Isolation;
  /** Resolves, bounded in time, when nothing goes on in the lab any more of the runs that have ended. */
  vacated: () => Promise<void>;
  /** Told when the event loop was blocked for so long that locks were in danger. */
  onLoopBlocked: () => void;
  /** 1 s by default. */
  firstBackoffMs?: number;
}

// On the way out nothing waits longer than this for Redis; what could not be given back is recovered as stalled.
const REDIS_PATIENCE_MS = 5_000;
const RETRY_FETCH_MS = 1_000;
const FIRST_BACKOFF_MS = 1_000;

/** Drains the queue into one lab: takes jobs, as many at once and for whom it may, and sees each to its end. */
export class NbexecWorker {
  readonly #options: NbexecWorkerOptions;
  readonly #parts: AttemptParts;
  readonly #queue: JobQueue;
  readonly #cancellations: Cancellations;
  readonly #tenancy: LabTenancy;
  readonly #running = new Map<Promise<void>, Attempt>();
  readonly #stopping = new AbortController();
  readonly #outgrown = new AbortController();
  #loopDelay: LoopDelay | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: NbexecWorkerOptions) {
    const { queueName, redis, lockMs, log } = options;
    this.#options = options;
    this.#queue = new JobQueue(queueName, redis, lockMs, log);
    this.#cancellations = new Cancellations(redis, log);
    this.#tenancy = new LabTenancy(options.isolation);
    this.#parts = {
      firstBackoffMs: FIRST_BACKOFF_MS,
      ...options,
      queue: this.#queue,
      cancellations: this.#cancellations,
    };
  }

  /** How many jobs run now. */
  get busy(): number {
    return this.#running.size;
  }

  /** Aborted when the next submitter needs a fresh lab: then nothing runs, and nothing more is taken. */
  get outgrown(): AbortSignal {
    return this.#outgrown.signal;
  }

  /** Begins to fetch jobs, and to look for those of executors that died. */
  async start(): Promise<void> {
    const { lockMs, onLoopBlocked, log } = this.#options;
    this.#loopDelay = new LoopDelay(lockMs / 3, onLoopBlocked, log);
    this.#cancellations.start();
    await this.#queue.start();
    this.#loop = this.#fetchLoop();
  }

  /**
   * Fetches no more, gives back what has not begun, lets what runs end, and gives back what has not ended within the
   * grace.
   *
   * @param graceMs 0 gives everything back at once
   */
  async drain(graceMs: number, reason: Error): Promise<void> {
    this.stopFetching();
    const overdue = new AbortController();
    const abort = () => {
      for (const attempt of this.#running.values()) attempt.abort(reason);
      overdue.abort();
    };
    if (graceMs <= 0) abort();
    const timer = setTimeout(abort, Math.min(graceMs, MAX_TIMER_MS));
    await withinPatience(this.#loop);
    const ended = Promise.all(this.#running.keys());
    await Promise.race([ended, aborted(overdue.signal)]);
    await withinPatience(ended);
    clearTimeout(timer);
  }

  /** Fetches no more; what runs goes on. */
  stopFetching(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#queue
      .stopWaiting()
      .catch((error: unknown) => this.#options.log.debug({ err: error }, 'still waiting'));
  }

  async close(): Promise<void> {
    this.#loopDelay?.[Symbol.dispose]();
    this.#cancellations.close();
    await withinPatience(this.#queue.close());
  }

  async #fetchLoop(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.#running.size >= this.#options.concurrency) await Promise.race(this.#running.keys());
      else await this.#fetchOne();
    }
  }

  async #fetchOne(): Promise<void> {
    try {
      this.#options.assertHeld();
      const taken = await this.#queue.take();
      if (!taken) return;
      const attempt = new Attempt(taken, this.#parts);
      await crashpoint('s4');
      await this.#admit(attempt);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#options.log.warn({ err: error }, 'no job fetched');
      await new Promise((resolve) => setTimeout(resolve, RETRY_FETCH_MS));
    }
  }

  /** Begins the job as soon as the lab may be its submitter's. Until then nothing else is fetched: nobody overtakes. */
  async #admit(attempt: Attempt): Promise<void> {
    if (this.#stopping.signal.aborted) return attempt.giveBack();
    if (attempt.refusal) return this.#begin(attempt);
    const { owner, over } = attempt;
    if (!this.#tenancy.admits(owner)) {
      this.#options.log.debug({ running: this.#running.size }, 'job held until the lab is empty');
      await Promise.race([this.#empty(), aborted(AbortSignal.any([over, this.#stopping.signal]))]);
      // Cancelled, or no longer ours: neither needs the lab.
      if (over.aborted) return this.#begin(attempt);
      if (this.#stopping.signal.aborted) return attempt.giveBack();
    }
    if (this.#tenancy.excludes(owner)) {
      this.stopFetching();
      await attempt.giveBack();
      return this.#outgrown.abort();
    }
    this.#tenancy.enter(owner);
    this.#begin(attempt);
  }

  async #empty(): Promise<void> {
    await Promise.all(this.#running.keys());
    await this.#options.vacated();
  }

  #begin(attempt: Attempt): void {
    const running = attempt.run().finally(() => this.#running.delete(running));
    this.#running.set(running, attempt);
  }
}

async function withinPatience(work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, REDIS_PATIENCE_MS);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
