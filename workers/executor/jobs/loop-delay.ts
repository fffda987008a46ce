import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from '../../../lib/logger.ts';

/**
 * Measures how long the event loop was blocked, or the whole process stopped: no lock is renewed meanwhile. What took
 * longer than the limit is logged and told, so that nobody has to guess why jobs were left alone.
 */
export class LoopDelay implements Disposable {
  readonly #limitMs: number;
  readonly #log: Logger;
  readonly #delays: ReturnType<typeof monitorEventLoopDelay>;
  readonly #timer: NodeJS.Timeout;
  readonly #onBlocked: () => void;

  constructor(limitMs: number, onBlocked: () => void, log: Logger) {
    this.#limitMs = limitMs;
    this.#onBlocked = onBlocked;
    this.#log = log;
    this.#delays = monitorEventLoopDelay({ resolution: Math.max(1, Math.floor(limitMs / 20)) });
    this.#delays.enable();
    this.#timer = setInterval(() => this.#look(), limitMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#delays.disable();
  }

  #look(): void {
    const blockedMs = Math.round(this.#delays.max / 1e6);
    if (blockedMs <= this.#limitMs) return;
    // Only now: for a moment after it nothing is measured.
    this.#delays.reset();
    this.#log.warn({ blockedMs, limitMs: this.#limitMs }, 'the event loop was blocked');
    this.#onBlocked();
  }
}
