import { describe, expect, test } from 'vitest';
import { annotationsOf, type Annotation } from '../../../action/annotations.ts';
import type { CaseResult } from '../../../suite/report.ts';

const failing = (path: string, more: Partial<CaseResult> = {}): CaseResult => ({
  name: path,
  path,
  verdict: 'failed',
  failure: {
    reason: 'exception',
    name: 'KeyError',
    message: "'\u001B[31mu\u001B[0m'",
    traceback: ['\u001B[31mTraceback\u001B[0m', 'KeyError'],
    place: { cell: 1, cell_line: 2, file_line: 17 },
  },
  ...more,
});

const annotations = (...results: CaseResult[]): Annotation[] => annotationsOf(results, ({ path }) => path);

describe('a notebook', () => {
  test('that failed is an error where its code is, without colours', () => {
    expect(annotations(failing('a.ipynb'))).toEqual([
      {
        level: 'error',
        message: "KeyError: 'u'\n\nTraceback\nKeyError",
        properties: { title: 'KeyError in a.ipynb', file: 'a.ipynb', startLine: 17 },
      },
    ]);
  });

  test('that is not in the repository has no file', () => {
    const [annotation] = annotationsOf([failing('../a.ipynb')], () => undefined);
    expect(annotation?.properties).toEqual({ title: 'KeyError in ../a.ipynb' });
  });

  test('that passed unexpectedly is an error', () => {
    const failure = { reason: 'unexpected_pass', message: 'It passed' };
    const [annotation] = annotations(failing('a.ipynb', { verdict: 'unexpected_pass', failure }));
    expect(annotation).toEqual({
      level: 'error',
      message: 'It passed',
      properties: { title: 'Unexpected pass in a.ipynb', file: 'a.ipynb' },
    });
  });

  test('whose outputs are others than before tells which', () => {
    const failure = {
      reason: 'regression',
      message: 'Outputs differ',
      differences: [{ cell: 0, diff: '-1\n+2' }],
    };
    const [annotation] = annotations(failing('a.ipynb', { failure }));
    expect(annotation?.message).toBe('Regression: Outputs differ\n\nCell 0:\n-1\n+2');
  });

  test.each(['passed', 'expected_failure', 'cancelled', 'skipped'] as const)(
    'that is %s is none',
    (verdict) => {
      expect(annotations(failing('a.ipynb', { verdict }))).toEqual([]);
    },
  );

  test('with warnings has a notice of each', () => {
    const result = { ...failing('a.ipynb', { verdict: 'passed' }), warnings: ['one', 'two'] };
    expect(annotations(result)).toEqual([
      { level: 'notice', message: 'one', properties: { title: 'Warning of a.ipynb', file: 'a.ipynb' } },
      { level: 'notice', message: 'two', properties: { title: 'Warning of a.ipynb', file: 'a.ipynb' } },
    ]);
  });

  test('that says a lot is cut in the middle', () => {
    const much = `begin${'x'.repeat(100_000)}`;
    const failure = { reason: 'exception', message: much, traceback: [much, 'end'] };
    const [annotation] = annotations(failing('a.ipynb', { failure }));
    expect(annotation?.message).toMatch(
      /^Exception: beginx+\n\nbeginx+\n… \d+ characters are left out …\nx+\nend$/,
    );
    expect(annotation?.message.length).toBeLessThan(7_000);
  });
});

test('trouble with the service is told once for each cause, without a file', () => {
  const trouble = (path: string, message: string) =>
    failing(path, { verdict: 'error', failure: { reason: 'lab_lost', message } });
  const all = annotations(trouble('a.ipynb', 'lost'), trouble('b.ipynb', 'gone'), trouble('c.ipynb', 'lost'));
  expect(all).toEqual([
    {
      level: 'error',
      message: 'lost\na.ipynb\nc.ipynb',
      properties: { title: 'Trouble with the service: 2 notebooks could not be run' },
    },
    {
      level: 'error',
      message: 'gone\nb.ipynb',
      properties: { title: 'Trouble with the service: 1 notebook could not be run' },
    },
  ]);
});

test('options that the service refuses are told as such', () => {
  const failure = { reason: 'wrong_option', message: 'image: there is none' };
  expect(annotations(failing('a.ipynb', { verdict: 'error', failure }))).toEqual([
    {
      level: 'error',
      message: 'image: there is none\na.ipynb',
      properties: { title: 'Wrong options: 1 notebook could not be run' },
    },
  ]);
});

test('options and trouble are told apart, also in the same words', () => {
  const error = (path: string, reason: string) =>
    failing(path, { verdict: 'error', failure: { reason, message: 'no kernel' } });
  const all = annotations(error('a.ipynb', 'lab_lost'), error('b.ipynb', 'unknown_kernel'));
  expect(all.map(({ message, properties }) => [message, properties.title])).toEqual([
    ['no kernel\na.ipynb', 'Trouble with the service: 1 notebook could not be run'],
    ['no kernel\nb.ipynb', 'Wrong options: 1 notebook could not be run'],
  ]);
});

test('no more than GitHub shows, what failed first, with a word on the rest', () => {
  const results = Array.from({ length: 30 }, (_, n) => failing(`${n}.ipynb`, { warnings: ['slow'] }));
  const trouble = failing('t.ipynb', { verdict: 'error' });
  const all = annotations(trouble, ...results);
  const errors = all.filter(({ level }) => level === 'error');
  const notices = all.filter(({ level }) => level === 'notice');
  // The step's own message comes behind them.
  expect([errors.length, notices.length]).toEqual([9, 9]);
  expect(errors.map(({ properties }) => properties.file)).toEqual([
    ...results.slice(0, 8).map(({ path }) => path),
    undefined,
  ]);
  expect(errors.at(-1)?.message).toBe("GitHub shows no more than 10: 23 more are in the job's summary");
  expect(notices.at(-1)?.message).toContain('22 more');
});
