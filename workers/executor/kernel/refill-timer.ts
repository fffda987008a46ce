export interface RefillTimerOptions {
  delayMs: number;
  /** Whether a notebook runs that a refill would disturb, and the next one is served all the same. */
  canWait: () => boolean;
  refill: () => void;
  /** Ends it. */
  closing: AbortSignal;
}

/** How often a refill is put off, as long as a notebook runs and another finds a warm kernel. */
const PUT_OFFS = 3;
const LONGEST_DELAY_MS = 60_000;

/** Says when a pool replaces its warm kernels: not at once, and ever more seldom where that fails. */
export class RefillTimer {
  readonly #options: RefillTimerOptions;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0; // performance.now()
  #failures = 0;

  constructor(options: RefillTimerOptions) {
    this.#options = options;
    options.closing.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** Refills a little later; the sooner of two counts, or it would never come while there is much to do. */
  schedule(): void {
    this.#schedule(0);
  }

  /** As somebody wants kernels, earlier failures are forgotten. */
  handedOut(): void {
    this.#failures = 0;
    this.#schedule(0);
  }

  /** A warm kernel was lost, or could not be started; those that fail together count once. */
  failed(): void {
    if (this.#timer === undefined) this.#failures++;
    this.#schedule(0);
  }

  #schedule(putOffs: number): void {
    const { delayMs, closing } = this.#options;
    const waitMs = Math.min(delayMs * 2 ** this.#failures, LONGEST_DELAY_MS);
    const dueAt = performance.now() + waitMs;
    if (closing.aborted || (this.#timer !== undefined && this.#dueAt <= dueAt)) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#fire(putOffs), waitMs);
  }

  #fire(putOffs: number): void {
    this.#timer = undefined;
    if (putOffs < PUT_OFFS && this.#options.canWait()) this.#schedule(putOffs + 1);
    else this.#options.refill();
  }
}
