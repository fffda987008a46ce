/** Nobody makes us wait for longer than that and our own pause. */
const LONGEST_ASKED_MS = 3_600_000;

/**
 * How long a job waits before it is tried again.
 *
 * @param failed how many attempts have failed, from 1
 * @param askedMs how long the other side wants to be left alone
 * @param random 0 to 1: takes off up to a quarter, so that what failed together is not tried again together
 */
export function retryDelayMs(failed: number, firstMs: number, askedMs = 0, random = Math.random()): number {
  const ownMs = firstMs * 2 ** (failed - 1) * (1 - random / 4);
  return Math.round(Math.max(ownMs, Math.min(askedMs, LONGEST_ASKED_MS)));
}
