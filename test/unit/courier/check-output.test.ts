import { expect, test } from 'vitest';
import type { CaseResult, SuiteReport } from '../../../suite/report.ts';
import { MAX_SUMMARY_BYTES } from '../../../workers/courier/github/check-run.ts';
import { outputOf } from '../../../workers/courier/suites/check-output.ts';

const result = (name: string, more: Partial<CaseResult> = {}): CaseResult => ({
  name,
  path: name,
  verdict: 'passed',
  ...more,
});
const failed = (name: string, more: Partial<CaseResult['failure']> = {}) =>
  result(name, {
    verdict: 'failed',
    failure: {
      reason: 'exception',
      name: 'ValueError',
      message: 'no',
      traceback: ['\u001B[31mline\u001B[0m'],
      ...more,
    },
  });
const report = (...results: CaseResult[]): SuiteReport => ({
  version: 1,
  suite: 'Tutorials',
  service: 'https://data.example.org/noteburst',
  started: '2026-11-21T10:00:00.000Z',
  finished: '2026-11-21T10:01:00.000Z',
  results,
});

const wrong = (name: string, reason: 'wrong_option' | 'unknown_kernel') =>
  result(name, { verdict: 'error', failure: { reason, message: 'image: there is none of that name' } });
const lost = result('d', { verdict: 'error', failure: { reason: 'lab_lost', message: 'x' } });

test.each([
  ['success', [result('a')]],
  ['failure', [result('a'), failed('b')]],
  ['failure', [result('a'), result('b', { verdict: 'error' })]],
  ['action_required', [result('a'), wrong('b', 'wrong_option'), wrong('c', 'unknown_kernel')]],
  ['failure', [wrong('a', 'wrong_option'), failed('b')]],
  ['failure', [wrong('a', 'wrong_option'), lost]],
  ['failure', [wrong('a', 'wrong_option'), result('b', { verdict: 'cancelled' })]],
  ['success', [result('a', { verdict: 'expected_failure', failure: { reason: 'x', message: 'x' } })]],
])('the conclusion: %s', (conclusion, results) => {
  expect(outputOf(report(...results), undefined, []).conclusion).toBe(conclusion);
});

test('an annotation for each that was asked for wrongly: no log of the service is theirs', () => {
  expect(outputOf(report(wrong('b.ipynb', 'wrong_option')), undefined, []).annotations).toMatchObject([
    { path: 'b.ipynb', start_line: 1, message: 'Wrong option: image: there is none of that name' },
  ]);
});

test('an annotation for each that failed, on the line of the file, in plain text', () => {
  const { title, annotations } = outputOf(
    report(
      result('a'),
      failed('b.ipynb', { place: { cell: 1, cell_line: 2, file_line: 41 } }),
      failed('c.md'),
      lost,
    ),
    undefined,
    [],
  );
  expect(title).toBe('2 failed, 1 could not be run, 1 passed');
  const common = { annotation_level: 'failure', message: 'ValueError: no', raw_details: 'line' };
  expect(annotations).toEqual([
    { path: 'b.ipynb', title: 'b.ipynb', start_line: 41, end_line: 41, ...common },
    { path: 'c.md', title: 'c.md', start_line: 1, end_line: 1, ...common },
  ]);
});

test('what has changed since the run before, and notes, are in the summary', () => {
  const { summary } = outputOf(report(failed('b')), report(result('b')), ['Something to know']);
  expect(summary).toContain('Newly failing (1)');
  expect(summary).toContain('> Something to know');
});

test('GitHub takes all of it, however much fails', () => {
  const many = Array.from({ length: 500 }, (_, n) =>
    failed(`notebook-${n}-${'ü'.repeat(200)}.ipynb`, {
      traceback: ['x'.repeat(50_000)],
      message: 'm'.repeat(9_000),
    }),
  );
  const { summary, annotations = [] } = outputOf(
    report(...many),
    report(...many.map(({ name }) => result(name))),
    [],
  );
  expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(MAX_SUMMARY_BYTES);
  expect(annotations).toHaveLength(200);
  for (const { title, message, raw_details: details = '' } of annotations) {
    expect(title.length).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(message + details)).toBeLessThan(64_000);
  }
});
