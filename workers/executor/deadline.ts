import { MAX_TIMER_MS } from '../../lib/abort.ts';

export interface Clocks {
  wallMs(): number;
  monotonicMs(): number;
}
const CLOCKS: Clocks = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A moment, as both clocks show it. */
export interface Instant {
  wallMs: number;
  monotonicMs: number;
}

export const instant = (clocks = CLOCKS): Instant => ({
  wallMs: clocks.wallMs(),
  monotonicMs: clocks.monotonicMs(),
});

/**
 * Until when something that Redis keeps for us with a TTL is surely still ours, told without asking Redis: so long after
 * the last command that renewed it was *sent*. Once it has passed it stays so, whatever answer comes late.
 */
export class Deadline {
  readonly #holdMs: number;
  readonly #onPassed: () => void;
  readonly #clocks: Clocks;
  #until: Instant;
  #passed = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param holdMs how long it holds from the moment of sending: the TTL less a margin for clocks and commands under way
   * @param sent when the command that took it was sent
   * @param onPassed called once, by a timer or by whoever asks first
   */
  constructor(holdMs: number, sent: Instant, onPassed: () => void, clocks = CLOCKS) {
    this.#holdMs = holdMs;
    this.#onPassed = onPassed;
    this.#clocks = clocks;
    this.#until = this.#after(sent);
    this.#arm();
  }

  /**
   * To be asked before every effect outside this process: one that was stopped for a while must not act before its
   * timers have had their turn.
   */
  get passed(): boolean {
    if (this.#passed) return true;
    const { wallMs, monotonicMs } = instant(this.#clocks);
    // Either clock counts: the monotonic one stands still in a suspended machine, the other can be set.
    if (wallMs < this.#until.wallMs && monotonicMs < this.#until.monotonicMs) return false;
    this.#passed = true;
    this.close();
    this.#onPassed();
    return true;
  }

  /** @param sent when the command was sent that has renewed it */
  extendFrom(sent: Instant): void {
    if (this.passed) return;
    this.#until = this.#after(sent);
    this.#arm();
  }

  /** Stops its timer: nobody wants to know any more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #after(sent: Instant): Instant {
    return { wallMs: sent.wallMs + this.#holdMs, monotonicMs: sent.monotonicMs + this.#holdMs };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#until.monotonicMs - this.#clocks.monotonicMs();
    // A timer may fire early, and the wall clock alone may have been set.
    this.#timer = setTimeout(() => this.passed || this.#arm(), Math.min(Math.ceil(leftMs), MAX_TIMER_MS));
  }
}
