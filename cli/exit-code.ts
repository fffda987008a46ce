import { isAskedWrongly, type CaseResult } from '../suite/report.ts';
import { suiteVerdict } from '../suite/reports/words.ts';

/** What the command tells its caller. */
export const EXIT = { ok: 0, failed: 1, usage: 2, service: 3, interrupted: 130 } as const;

/** A notebook's own failure counts more than that others were not run, and wrong options more than trouble: they stay. */
export function exitCodeOf(results: readonly CaseResult[], isInterrupted: boolean): number {
  if (isInterrupted) return EXIT.interrupted;
  const incomplete = results.some(isAskedWrongly) ? EXIT.usage : EXIT.service;
  return { passed: EXIT.ok, failed: EXIT.failed, incomplete }[suiteVerdict({ results })];
}

/** What the caller of the command did wrong; the message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
