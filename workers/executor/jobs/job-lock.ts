import type { Logger } from '../../../lib/logger.ts';
import { Deadline, instant } from '../deadline.ts';
import { JobLockLostError } from './errors.ts';
import type { JobQueue, TakenJob } from './job-queue.ts';

/**
 * Keeps the lock of a job for as long as the job is held. Redis may not answer, or this process may not get to ask it:
 * so the lock counts as lost before Redis could give it to another, told by a deadline of our own.
 */
export class JobLock implements Disposable {
  readonly #queue: JobQueue;
  readonly #taken: TakenJob;
  readonly #onRenewed: () => void;
  readonly #log: Logger;
  readonly #lost = new AbortController();
  readonly #deadline: Deadline;
  readonly #renewal: NodeJS.Timeout;

  /** @param onRenewed told after each renewal */
  constructor(queue: JobQueue, taken: TakenJob, lockMs: number, onRenewed: () => void, log: Logger) {
    this.#queue = queue;
    this.#taken = taken;
    this.#onRenewed = onRenewed;
    this.#log = log;
    this.#renewal = setInterval(() => void this.#renew(), lockMs / 3);
    this.#deadline = new Deadline(lockMs - lockMs / 6, taken.sent, () =>
      this.#lose('it could not be renewed in time'),
    );
  }

  /** Aborted with a {@link JobLockLostError} as soon as the job must be left alone. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** To be asked before everything that is written for the job. */
  get held(): boolean {
    return !this.#deadline.passed && !this.#lost.signal.aborted;
  }

  /** @throws {JobLockLostError} */
  assertHeld(): void {
    if (!this.held) throw this.#lost.signal.reason;
  }

  /** Renews no more. */
  [Symbol.dispose](): void {
    clearInterval(this.#renewal);
    this.#deadline.close();
  }

  async #renew(): Promise<void> {
    const sent = instant();
    try {
      if (!(await this.#queue.extendLock(this.#taken))) return this.#lose('it ran out or is held by another');
      this.#deadline.extendFrom(sent);
      if (!this.#lost.signal.aborted) this.#onRenewed();
    } catch (error) {
      this.#log.warn({ err: error }, 'job lock not renewed');
    }
  }

  #lose(why: string): void {
    this[Symbol.dispose]();
    this.#lost.abort(new JobLockLostError(`The lock of the job is lost: ${why}`));
  }
}
