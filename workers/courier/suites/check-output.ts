/** What a check run shows of a suite that has been run, or could not be. */
import { compareReports } from '../../../suite/compare.ts';
import { FAILING, isAskedWrongly, type CaseResult, type SuiteReport } from '../../../suite/report.ts';
import { fenced } from '../../../suite/reports/gfm.ts';
import { markdownSummary } from '../../../suite/reports/markdown.ts';
import { countsText, detailText, headline, isGood } from '../../../suite/reports/words.ts';
import { SUITE_FILE } from '../../../suite/suite-file.ts';
import {
  MAX_SUMMARY_BYTES,
  type Annotation,
  type CheckOutput,
  type Conclusion,
} from '../github/check-run.ts';

/** More of them help nobody; the report has all. */
const MAX_ANNOTATIONS = 200;
/** GitHub takes 64 KB of each; the whole of a traceback is in the report. */
const MAX_DETAIL_CHARS = 8_000;
/** What tables and tracebacks leave to notes, and to what stands around them. */
const SLACK_BYTES = 10_000;

/** What was not run is no success: GitHub lets a neutral check pass where one is required. */
function conclusionOf({ results }: SuiteReport): Conclusion {
  if (results.every(isGood)) return 'success';
  const isSuiteWrong = results.every((result) => isGood(result) || isAskedWrongly(result));
  return isSuiteWrong ? 'action_required' : 'failure';
}

export const NO_SUITE: CheckOutput = {
  conclusion: 'neutral',
  title: `There is no ${SUITE_FILE}`,
  summary: `Notebooks of this repository are run when it has a file \`${SUITE_FILE}\` that says which.`,
};

export const REMOVED_SUITE: CheckOutput = {
  conclusion: 'action_required',
  title: `There is no ${SUITE_FILE} any more`,
  summary: `The branch that this is for has a file \`${SUITE_FILE}\`, and this commit has none: no notebook was run.`,
};

/** A suite that could not be run. */
export const problem = (
  conclusion: 'action_required' | 'failure',
  title: string,
  message: string,
): CheckOutput => ({
  conclusion,
  title,
  // As text, whatever a repository's files say.
  summary: fenced(message.slice(0, 10_000), 'text'),
});

/** @param notes what is to be known beside the results, in Markdown */
export function outputOf(
  report: SuiteReport,
  previous: SuiteReport | undefined,
  notes: readonly string[],
): CheckOutput {
  const comparison = previous && compareReports(report, previous);
  const summary = markdownSummary(report, comparison, MAX_SUMMARY_BYTES - SLACK_BYTES);
  return {
    conclusion: conclusionOf(report),
    title: countsText(report.results),
    summary: cut([summary, ...notes.map((note) => `> ${note}\n`)].join('\n')),
    annotations: report.results.flatMap(annotationOf).slice(0, MAX_ANNOTATIONS),
  };
}

function annotationOf(result: CaseResult): Annotation[] {
  const { name, path, verdict, failure } = result;
  if (!failure || !(FAILING.has(verdict) || isAskedWrongly(result))) return [];
  const line = failure.place?.file_line ?? 1;
  const details = detailText(failure, MAX_DETAIL_CHARS);
  return [
    {
      path,
      start_line: line,
      end_line: line,
      annotation_level: 'failure',
      title: name.slice(0, 255),
      message: headline(result) || 'It failed',
      ...(details !== '' && { raw_details: details }),
    },
  ];
}

/** At the end of a line. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= MAX_SUMMARY_BYTES) return text;
  const end = '\n\n… and more, in the report\n';
  const kept = Buffer.from(text)
    .subarray(0, MAX_SUMMARY_BYTES - Buffer.byteLength(end))
    .toString();
  return kept.slice(0, kept.lastIndexOf('\n')) + end;
}
