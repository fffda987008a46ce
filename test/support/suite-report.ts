/** Reports of suites, as runs leave them. */
import type { CaseResult, SuiteReport, Verdict } from '../../suite/report.ts';

export function suiteReport(results: CaseResult[], parts: Partial<SuiteReport> = {}): SuiteReport {
  return {
    version: 1,
    suite: 'Tutorials',
    service: 'https://data.example.org/noteburst',
    started: '2026-11-21T10:00:00Z',
    finished: '2026-11-21T10:02:30Z',
    results,
    ...parts,
  };
}

export const result = (name: string, verdict: Verdict, parts: Partial<CaseResult> = {}): CaseResult => ({
  name,
  path: name.replace(/ \[.*$/, ''),
  verdict,
  ...parts,
});

const RED = '\u001B[0;31m';
const GREEN = '\u001B[0;32m';
const TEXT = '\u001B[38;5;124m';
const OFF = '\u001B[0m';

/** As ipykernel writes it. */
export const TRACEBACK = [
  `${RED}---------------------------------------------------------------------------${OFF}`,
  `${RED}KeyError${OFF}                                  Traceback (most recent call last)`,
  `Cell ${GREEN}In[5], line 2${OFF}\n\u001B[1;32m      1${OFF} bands = [${TEXT}"g"${OFF}, ${TEXT}"r"${OFF}]\n${GREEN}----> 2${OFF} flux[${TEXT}"u"${OFF}]\n`,
  `${RED}KeyError${OFF}: 'u'`,
];

const DIFF = `--- reference
+++ this run
@@ -1,4 +1,4 @@
 stdout:
 objects: 1200
-median magnitude: 21.44
+median magnitude: 21.39
 done`;

const jobUrl = (id: string) => `https://data.example.org/noteburst/v1/notebooks/${id}`;

/** Something of everything. */
export const NIGHTLY: SuiteReport = suiteReport(
  [
    result('tutorials/01-first-light.ipynb', 'passed', {
      seconds: 12.4,
      job_url: jobUrl('a1'),
      executed: 'executed/tutorials/01-first-light.ipynb',
    }),
    result('tutorials/02-light-curves.ipynb', 'failed', {
      seconds: 8.1,
      waited_seconds: 2.5,
      job_url: jobUrl('a2'),
      executed: 'executed/tutorials/02-light-curves.ipynb',
      failure: {
        reason: 'exception',
        name: 'KeyError',
        message: "'u'",
        traceback: TRACEBACK,
        place: { cell: 5, cell_line: 2, file_line: 112 },
      },
    }),
    result('tutorials/03-photometry.ipynb', 'failed', {
      seconds: 31.8,
      job_url: jobUrl('a3'),
      executed: 'executed/tutorials/03-photometry.ipynb',
      failure: {
        reason: 'regression',
        message: 'The outputs of 1 cell differ from the committed ones',
        place: { cell: 7, file_line: 160 },
        differences: [{ cell: 7, diff: DIFF }],
      },
    }),
    result('tutorials/04-cutouts.ipynb', 'failed', {
      seconds: 60,
      job_url: jobUrl('a4'),
      failure: {
        reason: 'cell_timeout',
        message: 'Cell 2 did not end within 60 s',
        place: { cell: 2 },
      },
    }),
    result('how-to/query [small].ipynb', 'passed', {
      seconds: 47.2,
      job_url: jobUrl('a5'),
      attempts: 2,
      warnings: ['Cell 3: some output was cut', 'It was begun again, since its lab was lost'],
    }),
    result('how-to/deprecated-api.ipynb', 'expected_failure', {
      seconds: 3.3,
      expected: 'the old API goes with release 31',
      failure: {
        reason: 'exception',
        name: 'AttributeError',
        message: "module 'lsst' has no attribute 'old'",
      },
    }),
    result('how-to/no-longer-broken.ipynb', 'unexpected_pass', {
      seconds: 4.9,
      expected: 'waits for DM-12345',
      job_url: jobUrl('a7'),
      failure: {
        reason: 'unexpected_pass',
        message: 'It passed, though it is expected to fail: waits for DM-12345',
      },
    }),
    result('demos/dashboard.ipynb', 'error', {
      failure: { reason: 'lab_lost', message: 'The lab was lost three times' },
    }),
    result('demos/stopped.ipynb', 'cancelled', { seconds: 15 }),
    result('demos/later.ipynb', 'skipped'),
  ],
  { suite: 'Nightly tutorials', revision: '4f0c2b7d9a61' },
);

/** The run before {@link NIGHTLY}. */
export const NIGHT_BEFORE: SuiteReport = suiteReport(
  [
    result('tutorials/01-first-light.ipynb', 'failed', { seconds: 2 }),
    result('tutorials/02-light-curves.ipynb', 'passed', { seconds: 30 }),
    result('tutorials/03-photometry.ipynb', 'passed', { seconds: 30 }),
    result('tutorials/04-cutouts.ipynb', 'failed', { seconds: 60 }),
    result('how-to/query [small].ipynb', 'passed', { seconds: 20 }),
    result('how-to/deprecated-api.ipynb', 'expected_failure', { seconds: 3 }),
    result('how-to/removed.ipynb', 'passed', { seconds: 3 }),
    result('demos/dashboard.ipynb', 'passed', { seconds: 3 }),
  ],
  { started: '2026-11-20T10:00:00Z', finished: '2026-11-20T10:02:30Z', revision: '91be02aa4c3f' },
);
