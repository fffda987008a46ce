import { MAX_TIMER_MS } from '../../lib/abort.ts';

/** How long one token, and with it one lab, serves. */
export interface Tenure {
  /** Aborted when the lab is to be given up; running notebooks get `graceMs` then. */
  end: { signal: AbortSignal; graceMs: number };
  /** What running notebooks get when the executor is asked to stop; the token lasts as long. */
  graceMs: number;
}

/** As long as a notebook may run, unless the service is configured otherwise. */
const LONGEST_RUN_MS = 3_600_000;
const LONGEST_EXIT_MS = 60_000;

/**
 * A lab's own credentials end with the token it was spawned with, so it is given up, and another one spawned with
 * another token, early enough for what runs then to end. A short grace is for processes that are about to be killed;
 * nobody kills here.
 */
export function tenureOf(lifetimeMs: number, stopGraceMs: number): Tenure {
  const most = lifetimeMs * 0.4;
  const graceMs = Math.min(Math.max(stopGraceMs, LONGEST_RUN_MS), most);
  const exitMs = Math.min(LONGEST_EXIT_MS, lifetimeMs * 0.1);
  const signal = AbortSignal.timeout(Math.min(Math.floor(lifetimeMs - graceMs - exitMs), MAX_TIMER_MS));
  return { end: { signal, graceMs }, graceMs: Math.min(stopGraceMs, most) };
}
