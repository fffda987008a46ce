import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../lib/logger.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;

/**
 * Takes a step of the way out: tried again until it is done or its time is over, and never rejecting, as its failure
 * must stop none of the others.
 *
 * @param what names it in the log, as in "could not …"
 * @param isFinal whether another try would be of no use
 */
export async function exitStep(
  log: Logger,
  what: string,
  limitMs: number,
  step: (signal: AbortSignal) => Promise<void>,
  isFinal: (error: unknown) => boolean,
): Promise<void> {
  const signal = AbortSignal.timeout(limitMs);
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await step(signal);
    } catch (error) {
      const last = signal.aborted || isFinal(error);
      log[last ? 'error' : 'warn']({ err: error }, `could not ${what}`);
      if (last) return;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
