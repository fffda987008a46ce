import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SuiteCase } from '../suite/plan.ts';

/** Also how long a file has to stay as it is: editors write it in several steps. */
const LOOK_EVERY_MS = 300;

/**
 * The cases whose files have changed, together, each time that some have; ends with the signal. Changes count from the call
 * on, also those that come while nobody asks for them.
 *
 * Files are looked at rather than watched: that finds changes on network file systems, and those of folders that were
 * removed and made anew.
 */
export function onChange(cases: readonly SuiteCase[], signal: AbortSignal): AsyncGenerator<SuiteCase[]> {
  return changesSince(statesOf(cases), cases, signal);
}

/** By file; one that is not there has none. */
type States = Map<string, string>;

async function* changesSince(
  known: States,
  cases: readonly SuiteCase[],
  signal: AbortSignal,
): AsyncGenerator<SuiteCase[]> {
  let before = known;
  console.log('Waiting for changes; Ctrl-C ends.');
  while (!signal.aborted) {
    const now = statesOf(cases);
    const changed = cases.filter(({ file }) => now.has(file) && now.get(file) !== known.get(file));
    const isSettled = changed.every(({ file }) => now.get(file) === before.get(file));
    before = now;
    if (changed.length > 0 && isSettled) {
      for (const { file } of changed) known.set(file, now.get(file) ?? '');
      yield changed;
      console.log('Waiting for changes; Ctrl-C ends.');
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function statesOf(cases: readonly SuiteCase[]): States {
  const states: States = new Map();
  for (const { file } of cases) {
    try {
      const { mtimeNs, size, ino } = statSync(file, { bigint: true });
      states.set(file, `${mtimeNs} ${size} ${ino}`);
    } catch {
      // Away, or about to be replaced.
    }
  }
  return states;
}
