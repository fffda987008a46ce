import { countVerdicts, verdict, type CaseResult, type SuiteReport } from '../report.ts';
import { harmless, MARKS, painter, seconds, type Paint } from './terminal-style.ts';

/** How long a message may be beside a name; all of it is told at the end. */
const MESSAGE_CHARS = 100;

/** One line about a notebook that has ended. @param width of the column of names */
export function resultLine(
  { name, verdict: how, seconds: took, failure, expected }: CaseResult,
  width: number,
  paint: Paint,
): string {
  const { mark, style, words } = MARKS[how];
  const [said = ''] = harmless(expected ?? (failure ? headline(failure) : ''), false).split('\n');
  const message = said.length > MESSAGE_CHARS ? `${said.slice(0, MESSAGE_CHARS)}…` : said;
  const what = how === 'passed' || how === 'failed' ? message : [words, message].filter(Boolean).join(': ');
  const time = took === undefined ? '' : seconds(took);
  return `${paint(style, mark)} ${harmless(name, false).padEnd(width)} ${time.padStart(9)}  ${what}`.trimEnd();
}

/** Tells at the end what went wrong, with tracebacks, and how many did how. */
export function printSummary(report: SuiteReport, stream: NodeJS.WritableStream): void {
  const paint = painter(stream);
  const wrong = report.results.filter(({ verdict: how }) =>
    ['failed', 'unexpected_pass', 'error'].includes(how),
  );
  for (const result of wrong) stream.write(`\n${detailsOf(result, paint)}\n`);
  const counts = countVerdicts(report.results);
  const parts = verdict.options.flatMap((each) => {
    const { style, words } = MARKS[each];
    return counts[each] === undefined ? [] : [paint(style, `${counts[each]} ${words}`)];
  });
  const took = (Date.parse(report.finished) - Date.parse(report.started)) / 1_000;
  stream.write(`\n${parts.join(', ')} in ${seconds(took)}\n`);
}

function detailsOf({ name, path, verdict: how, failure, job_url: url }: CaseResult, paint: Paint): string {
  const { mark, style } = MARKS[how];
  const lines = [paint(['bold', style].flat() as Parameters<Paint>[0], `${mark} ${harmless(name, false)}`)];
  if (failure?.place) {
    const { cell, cell_line: line, file_line: fileLine } = failure.place;
    const where = `${harmless(path, false)}${fileLine === undefined ? '' : `:${fileLine}`}`;
    // People count from 1.
    lines.push(`  at ${where}, cell ${cell + 1}${line === undefined ? '' : `, line ${line}`}`);
  }
  if (failure) {
    const isColoured = paint('red', 'x') !== 'x';
    const text = failure.traceback?.join('\n') || headline(failure);
    for (const each of harmless(text, isColoured).split('\n')) lines.push(`  ${each}`);
    if (failure.traceback && failure.reason !== 'exception')
      lines.push(`  ${harmless(failure.message, false)}`);
  }
  for (const difference of failure?.differences ?? []) {
    lines.push(
      `  cell ${difference.cell + 1}:`,
      ...harmless(difference.diff, false)
        .split('\n')
        .map((each) => `    ${each}`),
    );
  }
  if (url !== undefined) lines.push(`  ${url}`);
  return lines.join('\n');
}

/** Like `NameError: name 'x' is not defined`. */
function headline({ name, message }: NonNullable<CaseResult['failure']>): string {
  return name === undefined ? message : `${name}: ${message}`;
}
