/** What came of a suite: the one form that the terminal, the reports, the action and the next run's comparison read. */
import { z } from 'zod';

/**
 * - `passed`: it ran to its end, as it should
 * - `failed`: the notebook's own fault: an exception, a timeout, a dead kernel, too much output, other outputs than expected
 * - `expected_failure`: it failed, as the suite says it does
 * - `unexpected_pass`: it passed, though the suite says that it fails: the suite is out of date
 * - `error`: it could not be run, for the service's or its options' sake, so that nothing is known of the notebook
 * - `cancelled`: it was stopped before its end
 * - `skipped`: it was not begun, since another had failed
 */
export const verdict = z.enum([
  'passed',
  'failed',
  'expected_failure',
  'unexpected_pass',
  'error',
  'cancelled',
  'skipped',
]);
export type Verdict = z.infer<typeof verdict>;

/** The verdicts by which a suite fails. */
export const FAILING: ReadonlySet<Verdict> = new Set<Verdict>(['failed', 'unexpected_pass']);

/** Where in the caller's file: lines are counted from 1. */
const place = z.object({
  /** Of the cell, counted from 0 over all cells of the file. */
  cell: z.number().int(),
  /** Within the cell's source, if the traceback tells it. */
  cell_line: z.number().int().optional(),
  /** Of the file: the line of that line where it has one of its own, else the cell's. */
  file_line: z.number().int().optional(),
});
export type Place = z.infer<typeof place>;

const failure = z.object({
  /** `exception`, `regression`, `invalid_notebook`, `refused`, `wrong_option`, or a reason of the service's (`run_timeout`, `kernel_died`, …). */
  reason: z.string(),
  /** The exception's name, where there is one. */
  name: z.string().optional(),
  message: z.string(),
  /** Lines as Jupyter shows them, colours (ANSI) included. */
  traceback: z.array(z.string()).optional(),
  place: place.optional(),
  /** Of a regression: what differs, cell by cell (counted from 0 over all cells of the file). */
  differences: z.array(z.object({ cell: z.number().int(), diff: z.string() })).optional(),
});
export type Failure = z.infer<typeof failure>;

const caseResult = z.object({
  /** The notebook's path, and the name of its set of parameters: `a/b.ipynb [small]`. Unique within the suite. */
  name: z.string(),
  /** From the suite's folder, with slashes. */
  path: z.string(),
  verdict,
  failure: failure.optional(),
  /** Why it is expected to fail, as the suite says. */
  expected: z.string().optional(),
  /** How long it ran, and how long it waited for an executor before. */
  seconds: z.number().optional(),
  waited_seconds: z.number().optional(),
  job_id: z.string().optional(),
  job_url: z.string().optional(),
  /** How often it was begun, when not once. */
  attempts: z.number().int().optional(),
  warnings: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  /** The file with the executed notebook, from the folder of the report. */
  executed: z.string().optional(),
});
export type CaseResult = z.infer<typeof caseResult>;

const ASKED_WRONGLY: ReadonlySet<string> = new Set(['wrong_option', 'unknown_kernel']);

/** Whether an `error` lies in how the notebook was to be run, such as an image that there is not, and not in the service. */
export const isAskedWrongly = ({ verdict, failure }: CaseResult): boolean =>
  verdict === 'error' && ASKED_WRONGLY.has(failure?.reason ?? '');

export const suiteReport = z.object({
  version: z.literal(1),
  suite: z.string(),
  service: z.string(),
  started: z.iso.datetime(),
  finished: z.iso.datetime(),
  /** The state of the files that were run, where it is known: a commit's id. */
  revision: z.string().optional(),
  results: z.array(caseResult),
});
export type SuiteReport = z.infer<typeof suiteReport>;

/** How many results have each verdict. */
export function countVerdicts(results: readonly CaseResult[]): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const result of results) counts[result.verdict] = (counts[result.verdict] ?? 0) + 1;
  return counts;
}
