import { describe, expect, test } from 'vitest';
import { compareReports } from '../../../suite/compare.ts';
import type { CaseResult, Verdict } from '../../../suite/report.ts';
import { NIGHT_BEFORE, NIGHTLY, result, suiteReport } from '../../support/suite-report.ts';

const compared = (now: CaseResult[], then: CaseResult[]) =>
  compareReports(suiteReport(now), suiteReport(then));

describe('two runs', () => {
  test('differ by what fails newly, still or no more, what is slower, new and gone', () => {
    expect(compareReports(NIGHTLY, NIGHT_BEFORE)).toEqual({
      previous: { started: '2026-11-20T10:00:00Z', revision: '91be02aa4c3f' },
      newlyFailing: ['tutorials/02-light-curves.ipynb', 'tutorials/03-photometry.ipynb'],
      stillFailing: ['tutorials/04-cutouts.ipynb'],
      fixed: ['tutorials/01-first-light.ipynb'],
      slower: [{ name: 'how-to/query [small].ipynb', seconds: 47.2, before: 20 }],
      added: ['how-to/no-longer-broken.ipynb', 'demos/stopped.ipynb', 'demos/later.ipynb'],
      gone: ['how-to/removed.ipynb'],
    });
  });

  test.for<[then: Verdict, now: Verdict, changed: string]>([
    ['passed', 'failed', 'newlyFailing'],
    ['expected_failure', 'unexpected_pass', 'newlyFailing'],
    ['failed', 'unexpected_pass', 'stillFailing'],
    ['unexpected_pass', 'expected_failure', 'fixed'],
    ['failed', 'passed', 'fixed'],
    ['passed', 'expected_failure', ''],
    // Nothing is known of the notebook.
    ['error', 'failed', ''],
    ['failed', 'error', ''],
    ['failed', 'cancelled', ''],
    ['skipped', 'failed', ''],
  ])('%s, then %s: %s', ([then, now, changed]) => {
    const { previous, ...lists } = compared([result('a', now)], [result('a', then)]);
    const filled = Object.entries(lists).filter(([, names]) => names.length > 0);
    expect(filled.map(([list]) => list)).toEqual(changed === '' ? [] : [changed]);
    expect(previous).toEqual({ started: '2026-11-21T10:00:00Z' });
  });

  test.for<[then: number | undefined, now: number | undefined, isSlower: boolean]>([
    [10, 15, true],
    [10, 14.9, false],
    [1, 5.9, false],
    [1, 6, true],
    [100, 149, false],
    [15, 10, false],
    [undefined, 100, false],
    [10, undefined, false],
  ])('of a notebook that took %s s, then %s s: slower is %s', ([before, seconds, isSlower]) => {
    const took = (taken: number | undefined) => [
      result('a', 'passed', taken === undefined ? {} : { seconds: taken }),
    ];
    expect(compared(took(seconds), took(before)).slower).toEqual(
      isSlower ? [{ name: 'a', seconds, before }] : [],
    );
  });

  test('a notebook that fails is not called slower', () => {
    const failed = result('a', 'failed', { seconds: 99 });
    expect(compared([failed], [result('a', 'passed', { seconds: 1 })]).slower).toEqual([]);
  });
});
