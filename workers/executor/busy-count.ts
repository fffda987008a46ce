/** Tells when the first of the running jobs begins and when the last one has ended. */
export class BusyCount {
  readonly #on: (event: 'busy' | 'free') => void;
  #count = 0;
  #telling = false;

  constructor(on: (event: 'busy' | 'free') => void) {
    this.#on = on;
  }

  /** From now on. */
  tell(): void {
    this.#telling = true;
    if (this.#count > 0) this.#on('busy');
  }

  mute(): void {
    this.#telling = false;
  }

  async during<T>(run: () => Promise<T>): Promise<T> {
    if (++this.#count === 1 && this.#telling) this.#on('busy');
    try {
      return await run();
    } finally {
      if (--this.#count === 0 && this.#telling) this.#on('free');
    }
  }
}
