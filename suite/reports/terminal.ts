/** How a suite went, for a terminal or a log. */
import { countVerdicts, type CaseResult, type SuiteReport } from '../report.ts';
import type { Comparison } from '../compare.ts';
import { harmless, MARKS, oneLine, type Paint } from './terminal-style.ts';
import { headline, ORDER, placeText, secondsText, suiteMs, VERDICTS } from './words.ts';

/** How long a message may be beside a name; all of it is told at the end. */
const MESSAGE_CHARS = 100;

/** One line about a notebook that has ended. @param width of the column of names */
export function resultLine(result: CaseResult, width: number, paint: Paint): string {
  const { name, verdict, seconds } = result;
  const { mark, style } = MARKS[verdict];
  const said = oneLine(headline(result));
  const message = said.length > MESSAGE_CHARS ? `${said.slice(0, MESSAGE_CHARS)}…` : said;
  const words = verdict === 'passed' || verdict === 'failed' ? '' : VERDICTS[verdict].toLowerCase();
  const time = seconds === undefined ? '' : secondsText(seconds);
  const what = [words, message].filter(Boolean).join(': ');
  return `${paint(style, mark)} ${oneLine(name).padEnd(width)} ${time.padStart(9)}  ${what}`.trimEnd();
}

/** Tells at the end what went wrong, with tracebacks, what has changed, and how many did how. */
export function summaryText(report: SuiteReport, paint: Paint, comparison?: Comparison): string {
  const wrong = report.results.filter(({ verdict }) => WRONG.has(verdict));
  const counts = countVerdicts(report.results);
  const parts = ORDER.flatMap((verdict) =>
    counts[verdict]
      ? [paint(MARKS[verdict].style, `${counts[verdict]} ${VERDICTS[verdict].toLowerCase()}`)]
      : [],
  );
  return [
    ...wrong.map((result) => `\n${detailsOf(result, paint)}\n`),
    ...(comparison ? [changesText(comparison)] : []),
    `\n${parts.join(', ')} in ${secondsText(suiteMs(report) / 1_000)}\n`,
  ].join('');
}

const WRONG: ReadonlySet<string> = new Set(['failed', 'unexpected_pass', 'error']);

function detailsOf(result: CaseResult, paint: Paint): string {
  const { name, path, verdict, failure, job_url: url } = result;
  const { mark, style } = MARKS[verdict];
  const lines = [paint(['bold', style].flat() as Parameters<Paint>[0], `${mark} ${oneLine(name)}`)];
  if (failure?.place) {
    const line = failure.place.file_line;
    // As terminals and editors know places in files: they make links of them.
    lines.push(`${oneLine(path)}${line === undefined ? '' : `:${line}`}: ${placeText(failure.place)}`);
  }
  const isColoured = paint('red', 'x') !== 'x';
  const traceback = failure?.traceback?.join('\n');
  if (traceback) lines.push(...harmless(traceback, isColoured).split('\n'));
  // A traceback ends with what the headline says; what interrupted a cell is not in it.
  if (!traceback || failure?.reason !== 'exception') lines.push(oneLine(headline(result)));
  for (const { cell, diff } of failure?.differences ?? []) {
    lines.push(`cell ${cell}:`, ...harmless(diff, false).split('\n'));
  }
  if (url !== undefined) lines.push(url);
  return lines.join('\n  ');
}

function changesText({ newlyFailing, fixed, slower, added, gone, previous }: Comparison): string {
  const lists: [string, string[]][] = [
    ['newly failing', newlyFailing],
    ['fixed', fixed],
    [
      'slower',
      slower.map(({ name, before, seconds }) => `${name} (${secondsText(before)} → ${secondsText(seconds)})`),
    ],
    ['new', added],
    ['gone', gone],
  ];
  const lines = lists.flatMap(([what, names]) =>
    names.length > 0 ? [`  ${what}: ${oneLine(names.join(', '))}\n`] : [],
  );
  return `\nSince the run of ${previous.started}:\n${lines.join('') || '  nothing has changed\n'}`;
}
