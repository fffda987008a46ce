const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;

interface Failing {
  sinceMs: number;
  pauseMs: number;
  dueAtMs: number;
}

/** What failed lately, by id, so that it is not tried and logged at each look: pauses double, up to 5 minutes. */
export class Backoff {
  readonly #failing = new Map<string, Failing>();

  isDue(id: string): boolean {
    return performance.now() >= (this.#failing.get(id)?.dueAtMs ?? 0);
  }

  /** @returns for how long it has failed, in ms */
  failed(id: string): number {
    const now = performance.now();
    const { sinceMs, pauseMs } = this.#failing.get(id) ?? { sinceMs: now, pauseMs: FIRST_MS / 2 };
    const longer = Math.min(pauseMs * 2, LONGEST_MS);
    this.#failing.set(id, { sinceMs, pauseMs: longer, dueAtMs: now + longer });
    return now - sinceMs;
  }

  forget(id: string): void {
    this.#failing.delete(id);
  }
}
