import { expect, test } from 'vitest';
import { outcomeOf } from '../../../action/outcome.ts';
import type { Verdict } from '../../../suite/report.ts';

const outcome = (verdicts: Verdict[], isCancelled = false, reason = 'lab_lost') =>
  outcomeOf(
    {
      version: 1,
      suite: 'S',
      service: 'https://data.example.org/noteburst',
      started: '2026-01-01T00:00:00Z',
      finished: '2026-01-01T00:00:01Z',
      results: verdicts.map((verdict, n) => ({
        name: `${n}.ipynb`,
        path: `${n}.ipynb`,
        verdict,
        ...(verdict === 'error' && { failure: { reason, message: 'It ended' } }),
      })),
    },
    isCancelled,
  );

test.each([
  [['passed', 'expected_failure'], 'passed', undefined],
  [['passed', 'failed', 'unexpected_pass'], 'failed', '2 of 3 notebooks failed'],
  [['failed'], 'failed', '1 of 1 notebook failed'],
  [['passed', 'error'], 'incomplete', '1 notebook could not be run for trouble with the service'],
  [
    ['failed', 'error', 'error', 'skipped'],
    'failed',
    '1 of 4 notebooks failed; 2 notebooks could not be run for trouble with the service; 1 not run to the end',
  ],
] as [Verdict[], string, string | undefined][])('%j', (verdicts, verdict, problem) => {
  expect(outcome(verdicts)).toMatchObject({ verdict, problem });
});

test('a run that was cancelled is incomplete', () => {
  expect(outcome(['passed', 'cancelled', 'skipped'], true)).toEqual({
    verdict: 'incomplete',
    passed: 1,
    failed: 0,
    problem: '2 cancelled',
  });
});

test('options that are refused are no trouble with the service', () => {
  expect(outcome(['passed', 'error'], false, 'wrong_option')).toMatchObject({
    verdict: 'incomplete',
    problem: '1 notebook could not be run with these options',
  });
});
