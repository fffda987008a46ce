import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { MAX_NOTEBOOK_BYTES, MAX_NOTEBOOKS_BYTES } from '../../../lib/queue/suite-runs.ts';
import type { SuiteCase } from '../../../suite/plan.ts';
import { forOthers } from '../../../workers/courier/suites/for-others.ts';
import { KeptNotebooks } from '../../../workers/courier/suites/kept-notebooks.ts';
import { result } from '../../support/suite-report.ts';

const caseOf = (path: string, set?: string): SuiteCase => ({
  name: set === undefined ? path : `${path} [${set}]`,
  path,
  file: `/suite/${path}`,
  options: {},
});
const MIB = 2 ** 20;
/** Text of which compression makes three quarters. */
const large = (mib: number) => randomBytes(mib * MIB).toString('base64');

test('files have names of their own, by which people know the notebook', async () => {
  const cases = [
    caseOf('deep/a b.ipynb'),
    caseOf('other/a b.ipynb'),
    caseOf('plots.ipynb', 'small set'),
    caseOf('docs/page.md'),
    caseOf(`${'x'.repeat(300)}.ipynb`),
    caseOf('"\r\nα.ipynb'),
  ];
  const kept = new KeptNotebooks(cases);
  for (const which of cases) await kept.add(which, which.name, true);
  expect([...kept.files.keys()]).toEqual([
    '0-a-b.ipynb',
    '1-a-b.ipynb',
    '2-plots.small-set.ipynb',
    '3-page.md.ipynb',
    `4-${'x'.repeat(100)}.ipynb`,
    '5--.ipynb',
  ]);
});

test('failures come first, and of what is not kept it is said', { timeout: 60_000 }, async () => {
  const names = ['good', 'failed', 'better', 'worse', 'worst'].map((name) => `${name}.ipynb`);
  const cases = names.map((name) => caseOf(name));
  const [good, failed, better, worse, worst] = cases as [
    SuiteCase,
    SuiteCase,
    SuiteCase,
    SuiteCase,
    SuiteCase,
  ];
  const kept = new KeptNotebooks(cases);
  await kept.add(good, large(7), true);
  await kept.add(failed, large(5), false);
  await kept.add(better, large(6), true);
  await kept.add(worse, large(6), false);
  await kept.add(worst, large(6), false);
  expect([...kept.files.keys()]).toEqual(['1-failed.ipynb', '3-worse.ipynb']);
  const bytes = [...kept.files.values()].reduce((sum, { length }) => sum + length, 0);
  expect(bytes).toBeLessThanOrEqual(MAX_NOTEBOOKS_BYTES);
  const told = forOthers(
    names.map((name) => result(name, 'passed', { job_url: 'http://submit/1', warnings: ['slow'] })),
    kept,
    'run/notebooks',
  );
  expect(told.map(({ executed }) => executed)).toEqual([
    undefined,
    'run/notebooks/1-failed.ipynb',
    undefined,
    'run/notebooks/3-worse.ipynb',
    undefined,
  ]);
  const notKept = expect.stringMatching(/not kept: those of a run may have 16 MiB/);
  expect(told[0]?.warnings).toEqual(['slow', notKept]);
  expect(told[1]?.warnings).toEqual(['slow']);
  expect(kept.passed.size).toBe(0);
});

test('one that is too large is not kept, and takes the place of none', { timeout: 60_000 }, async () => {
  const cases = ['a.ipynb', 'b.ipynb', 'c.ipynb'].map((name) => caseOf(name));
  const [small, empty, dense] = cases as [SuiteCase, SuiteCase, SuiteCase];
  const kept = new KeptNotebooks(cases);
  await kept.add(small, 'small', true);
  await kept.add(empty, ' '.repeat(MAX_NOTEBOOK_BYTES + 1), false);
  await kept.add(dense, large(17), false);
  expect([...kept.passed.keys()]).toEqual(['a.ipynb']);
  const [, ...others] = forOthers(
    cases.map(({ name }) => result(name, 'failed')),
    kept,
    'x',
  );
  for (const { warnings } of others)
    expect(warnings?.[0]).toContain('more than 32 MiB, or 16 MiB compressed');
});

test('nobody is told how the courier reaches the service', () => {
  const message = 'http://10.0.0.7:8080 cannot be reached: connect ECONNREFUSED 10.0.0.7:8080';
  const failure = { reason: 'unreachable', message };
  const job = { job_id: '1', job_url: 'http://10.0.0.7:8080/v1/notebooks/1' };
  const shown = forOthers([result('a.ipynb', 'error', { failure, ...job })], new KeptNotebooks([]), 'x');
  expect(JSON.stringify(shown)).not.toContain('10.0.0.7');
});
