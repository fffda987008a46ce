/** What has changed since the run before: what people want to know first of a suite that runs each night. */
import { FAILING, type CaseResult, type SuiteReport, type Verdict } from './report.ts';

/** Passed in both runs, and took longer in the later one. */
export interface Slower {
  name: string;
  seconds: number;
  /** In seconds, in the run before. */
  before: number;
}

/** Each list has names of results, in the order of the later report; those that are gone, of the earlier one. */
export interface Comparison {
  /** The run before. */
  previous: { started: string; revision?: string };
  newlyFailing: string[];
  stillFailing: string[];
  fixed: string[];
  slower: Slower[];
  /** Was not in the suite before. */
  added: string[];
  /** Is not in the suite any more. */
  gone: string[];
}

/**
 * Only what is slower by both is told. Labs are shared: the same notebook takes half as long again when its neighbours
 * are busy, and a short one several times as long when its imports are read from a cold disk.
 */
const SLOWER_RATIO = 1.5;
const SLOWER_SECONDS = 5;

/** The verdicts that tell something of the notebook itself: after another one, nothing is known to have changed. */
const KNOWN: ReadonlySet<Verdict> = new Set<Verdict>(['passed', 'expected_failure', ...FAILING]);

export function compareReports(current: SuiteReport, previous: SuiteReport): Comparison {
  const before = new Map(previous.results.map((result) => [result.name, result]));
  const names = new Set(current.results.map(({ name }) => name));
  const known = current.results.flatMap((now) => {
    const was = before.get(now.name);
    return was && KNOWN.has(now.verdict) && KNOWN.has(was.verdict) ? { now, was } : [];
  });
  const namesWhere = (didFail: boolean, fails: boolean): string[] =>
    known
      .filter(({ now, was }) => isFailing(was) === didFail && isFailing(now) === fails)
      .map(({ now }) => now.name);
  const { started, revision } = previous;
  return {
    previous: { started, ...(revision === undefined ? {} : { revision }) },
    newlyFailing: namesWhere(false, true),
    stillFailing: namesWhere(true, true),
    fixed: namesWhere(true, false),
    slower: known.flatMap(({ now, was }) => slower(now, was)),
    added: current.results.filter(({ name }) => !before.has(name)).map(({ name }) => name),
    gone: previous.results.filter(({ name }) => !names.has(name)).map(({ name }) => name),
  };
}

const isFailing = ({ verdict }: CaseResult): boolean => FAILING.has(verdict);

/** A notebook that failed has not run to its end: how long it took says nothing. */
function slower(now: CaseResult, was: CaseResult): Slower[] {
  if (now.verdict !== 'passed' || was.verdict !== 'passed') return [];
  const { name, seconds } = now;
  const before = was.seconds;
  if (seconds === undefined || before === undefined) return [];
  const isSlower = seconds >= before * SLOWER_RATIO && seconds - before >= SLOWER_SECONDS;
  return isSlower ? [{ name, seconds, before }] : [];
}
