import { setTimeout as sleep } from 'node:timers/promises';

export interface RepeatOptions {
  readonly everyMs: number;
  readonly call: (signal: AbortSignal) => Promise<unknown>;
  /** called for each call that failed; the next one is made all the same */
  readonly onFailure: (error: unknown) => void;
  /** ends it */
  readonly signal: AbortSignal;
  /** for each call; default 30 s */
  readonly timeoutMs?: number;
}

/**
 * Makes a call again and again until the signal comes, first after one period. Calls never overlap.
 *
 * @returns a promise that settles (never rejects) when it has ended
 */
export async function repeat(options: RepeatOptions): Promise<void> {
  const { everyMs, call, onFailure, signal, timeoutMs = 30_000 } = options;
  while (await slept(everyMs, signal)) {
    try {
      await call(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    } catch (error) {
      if (!signal.aborted) onFailure(error);
    }
  }
}

/** @returns false if the signal came first */
async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
