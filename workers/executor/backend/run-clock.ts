import type { HeldJob } from '../jobs/held-job.ts';

/** Ends a run whose time is over. */
class RunTimeout extends Error {
  override readonly name = 'RunTimeout';
}

/** All that ends a run from outside: its timeout, counted from now, a cancel, and that the job must be left alone. */
export class RunClock implements Disposable {
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;

  constructor(job: Pick<HeldJob, 'data' | 'signal' | 'cancelled'>) {
    const timeout = new AbortController();
    this.#timer = setTimeout(() => timeout.abort(new RunTimeout()), job.data.timeout_seconds * 1_000);
    this.signal = AbortSignal.any([job.signal, job.cancelled, timeout.signal]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
