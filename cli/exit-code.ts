import { FAILING, type CaseResult } from '../suite/report.ts';

/** What the command tells its caller. */
export const EXIT = { ok: 0, failed: 1, usage: 2, service: 3, interrupted: 130 } as const;

/** A notebook's own failure counts more than trouble with the service: it will be there again. */
export function exitCodeOf(results: readonly CaseResult[], isInterrupted: boolean): number {
  if (isInterrupted) return EXIT.interrupted;
  if (results.some(({ verdict }) => FAILING.has(verdict))) return EXIT.failed;
  return results.some(({ verdict }) => verdict === 'error') ? EXIT.service : EXIT.ok;
}

/** What the caller of the command did wrong; the message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
