/** A report as GitHub Flavored Markdown, for a job's summary or a comment. */
import type { Comparison } from '../compare.ts';
import type { CaseResult, Failure, SuiteReport } from '../report.ts';
import { code, fenced, link } from './gfm.ts';
import {
  countsText,
  detailText,
  headline,
  isGood,
  ORDER,
  placeText,
  secondsText,
  suiteMs,
  suiteVerdict,
  VERDICTS,
} from './words.ts';
import { durationText, instantText } from '../../lib/html/time.ts';

/** GitHub takes 1 MiB of a step, and nothing of what is longer; other steps of the action may write, too. */
const MAX_BYTES = 900 * 1024;
/** Where tables end, of all of it. What is around them is as much at most, and tracebacks take what is left. */
const TABLE_SHARE = 4 / 9;
/** Of one traceback. */
const MAX_DETAIL_CHARS = 8 * 1024;
/** Lists that are longer tell how many more there are. */
const MAX_WARNINGS = 50;
const MAX_CHANGES = 20;

const MARKS = { passed: '✅', failed: '❌', incomplete: '⚠️' } as const;

/** @param maxBytes in UTF-8: tables and tracebacks keep to it */
export function markdownSummary(
  report: SuiteReport,
  comparison?: Comparison,
  maxBytes: number = MAX_BYTES,
): string {
  const { results } = report;
  const sorted = ORDER.flatMap((verdict) => results.filter((result) => result.verdict === verdict));
  const [good, other] = [sorted.filter(isGood), sorted.filter((result) => !isGood(result))];
  const text = new BoundedText(maxBytes);
  text.add(heading(report));
  if (comparison) text.add(changes(comparison));
  if (other.length > 0) text.addTable(other, 'Notebook | Verdict | Ran | What happened', problemRow);
  const failures = other.filter(({ failure }) => failure && hasDetail(failure));
  if (good.length > 0) {
    text.add(`<details><summary>${good.length} as they should be</summary>\n`);
    text.addTable(good, 'Notebook | Verdict | Ran', goodRow);
    text.add('</details>\n');
  }
  text.add(warnings(results));
  const shown = failures.findIndex((result) => !text.addIfFits(detail(result)));
  if (shown !== -1)
    text.add(`\nTracebacks of ${failures.length - shown} more notebooks are in the other reports.\n`);
  return text.text;
}

const hasDetail = ({ traceback, differences }: Failure): boolean =>
  Boolean(traceback?.length || differences?.length);

function heading(report: SuiteReport): string {
  const { suite, started, revision, results } = report;
  const at = revision ? `, revision ${code(revision)}` : '';
  return `## ${MARKS[suiteVerdict(report)]} ${code(suite)}

**${countsText(results)}** in ${durationText(suiteMs(report))}, started ${instantText(started)} UTC${at}
`;
}

function changes(comparison: Comparison): string {
  const { previous, newlyFailing, stillFailing, fixed, slower, added, gone } = comparison;
  const slowed = slower.map(
    ({ name, seconds, before }) => `${code(name)} ${secondsText(before)} → ${secondsText(seconds)}`,
  );
  const lines = [
    ...changed('Newly failing', newlyFailing.map(code)),
    ...changed('Still failing', stillFailing.map(code)),
    ...changed('Fixed', fixed.map(code)),
    ...changed('Slower', slowed),
    ...changed('New', added.map(code)),
    ...changed('Gone', gone.map(code)),
  ];
  const since = `Since the run of ${instantText(previous.started)} UTC`;
  return lines.length === 0 ? `\n${since}: no changes.\n` : `\n${since}:\n\n${lines.join('\n')}\n`;
}

function changed(what: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length > MAX_CHANGES ? ` and ${items.length - MAX_CHANGES} more` : '';
  return [`- ${what} (${items.length}): ${items.slice(0, MAX_CHANGES).join(', ')}${more}`];
}

function problemRow(result: CaseResult): string {
  const { name, verdict, failure, job_url } = result;
  const what = code(headline(result));
  const place = failure?.place && placeText(failure.place);
  const cells = [place, link(job_url, 'job')].filter(Boolean);
  return `| ${code(name)} | ${VERDICTS[verdict]} | ${ran(result)} | ${[what, ...cells].filter(Boolean).join(' · ')} |\n`;
}

const goodRow = (result: CaseResult): string =>
  `| ${code(result.name)} | ${VERDICTS[result.verdict]} | ${ran(result)} |\n`;

const ran = ({ seconds }: CaseResult): string => (seconds === undefined ? '' : secondsText(seconds));

function warnings(results: readonly CaseResult[]): string {
  const all = results.flatMap(({ name, warnings = [] }) => warnings.map((warning) => ({ name, warning })));
  if (all.length === 0) return '';
  const shown = all.slice(0, MAX_WARNINGS).map(({ name, warning }) => `- ${code(name)}: ${code(warning)}`);
  const more = all.length > MAX_WARNINGS ? [`- and ${all.length - MAX_WARNINGS} more`] : [];
  return `\nWarnings:\n\n${[...shown, ...more].join('\n')}\n`;
}

function detail({ name, failure }: CaseResult): string {
  if (!failure) return '';
  const place = failure.place && placeText(failure.place);
  const text = detailText(failure, MAX_DETAIL_CHARS);
  return `\n<details><summary>${code(name)}${place ? `, ${place}` : ''}</summary>

${fenced(text, failure.differences?.length ? 'diff' : 'text')}

</details>
`;
}

class BoundedText {
  text = '';
  #bytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(text: string): void {
    this.text += text;
    this.#bytes += Buffer.byteLength(text);
  }

  /** @returns whether it was added */
  addIfFits(text: string, most = this.#maxBytes): boolean {
    const fits = this.#bytes + Buffer.byteLength(text) <= most;
    if (fits) this.add(text);
    return fits;
  }

  addTable<Row>(rows: readonly Row[], header: string, toText: (row: Row) => string): void {
    this.add(`\n| ${header} |\n| ${header.replaceAll(/[^|]+/g, ' --- ').trim()} |\n`);
    const shown = rows.findIndex((row) => !this.addIfFits(toText(row), this.#maxBytes * TABLE_SHARE));
    this.add(shown === -1 ? '\n' : `\n${rows.length - shown} more are in the other reports.\n`);
  }
}
