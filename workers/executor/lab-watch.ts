import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../lib/logger.ts';
import { OutputLostError, SocketClosedError } from './kernel/kernel-error.ts';
import { JupyterResponseError, LabUnusableError } from './lab/errors.ts';

export interface LabWatchTimings {
  /** How long a lab may be out of reach (a hub or ingress that restarts) before what runs in it is given up. */
  patienceMs: number;
  againMs: number;
  checkTimeoutMs: number;
}

const TIMINGS: LabWatchTimings = { patienceMs: 45_000, againMs: 1_000, checkTimeoutMs: 10_000 };
/** A lab that says it is well and fails this many jobs in a row is not. */
const MAX_FAILURES = 3;

/** Judges whether a lab is still of use: not by a single failed call, and not only by what it says of itself. */
export class LabWatch {
  readonly #verify: (signal: AbortSignal) => Promise<void>;
  readonly #log: Logger;
  readonly #timings: LabWatchTimings;
  readonly #lost = new AbortController();
  readonly #over = new AbortController();
  #checking: Promise<void> | undefined;
  #failures = 0;

  /** @param verify throws when the lab does not answer, or is another than the one we spawned */
  constructor(verify: (signal: AbortSignal) => Promise<void>, log: Logger, timings = TIMINGS) {
    this.#verify = verify;
    this.#log = log;
    this.#timings = timings;
  }

  /** Aborted when the lab is of no more use: everything in it is over. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** A job ended in it. */
  worked(): void {
    this.#failures = 0;
  }

  /**
   * A job could not be run in it.
   *
   * @param why a connection that was cut says nothing against the lab behind it: one blip cuts all jobs at once
   */
  async failed(why: unknown): Promise<void> {
    if (isCut(why)) return this.check();
    this.#failures += 1;
    if (this.#failures >= MAX_FAILURES) this.#lose(new Error(`It failed ${this.#failures} jobs in a row`));
    else await this.check();
  }

  /** Looks no more: the lab has served. */
  close(): void {
    this.#over.abort();
  }

  /** Finds out whether the lab still lives; several callers share one answer. */
  check(): Promise<void> {
    return (this.#checking ??= this.#check().finally(() => (this.#checking = undefined)));
  }

  async #check(): Promise<void> {
    const deadline = performance.now() + this.#timings.patienceMs;
    const enough = AbortSignal.any([this.#lost.signal, this.#over.signal]);
    while (!enough.aborted) {
      try {
        return await this.#verify(AbortSignal.timeout(this.#timings.checkTimeoutMs));
      } catch (error) {
        if (enough.aborted) return;
        if (isFinal(error) || performance.now() > deadline) return this.#lose(error);
        this.#log.warn({ err: error }, 'the lab is out of reach');
        await sleep(this.#timings.againMs, undefined, { signal: enough }).catch(() => undefined);
      }
    }
  }

  #lose(error: unknown): void {
    if (this.#lost.signal.aborted) return;
    this.#log.warn({ err: error }, 'the lab is lost, another one will be spawned');
    this.#lost.abort(error);
  }
}

function isCut(why: unknown): boolean {
  const cause = why instanceof Error ? why.cause : undefined;
  return cause instanceof OutputLostError || cause instanceof SocketClosedError;
}

/** What a proxy in between cannot have caused: the hub says that the lab is not there, or it is another one. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof LabUnusableError)) return false;
  if (error.trouble === 'unauthorized') return true;
  const transient = error.cause instanceof JupyterResponseError && error.cause.transient;
  return error.trouble === 'gone' && !transient;
}
