/** What verdicts, failures and places are called, in every report alike. */
import { stripVTControlCharacters } from 'node:util';
import { durationText } from '../../lib/html/time.ts';
import {
  countVerdicts,
  FAILING,
  type CaseResult,
  type Failure,
  type Place,
  type SuiteReport,
  type Verdict,
} from '../report.ts';

/** In the order in which they matter to the reader. */
export const VERDICTS: Record<Verdict, string> = {
  failed: 'Failed',
  unexpected_pass: 'Passed unexpectedly',
  error: 'Could not be run',
  cancelled: 'Cancelled',
  skipped: 'Skipped',
  expected_failure: 'Failed as expected',
  passed: 'Passed',
};

export const ORDER = Object.keys(VERDICTS) as Verdict[];

export type SuiteVerdict = 'passed' | 'failed' | 'incomplete';

/** Whether it is as it should be. */
export const isGood = ({ verdict }: CaseResult): boolean =>
  verdict === 'passed' || verdict === 'expected_failure';

/** A suite that has not failed has passed only when all of it has been run. */
export function suiteVerdict({ results }: { results: readonly CaseResult[] }): SuiteVerdict {
  if (results.some(({ verdict }) => FAILING.has(verdict))) return 'failed';
  return results.every(isGood) ? 'passed' : 'incomplete';
}

/** Such as `2 failed, 1 skipped, 27 passed`. */
export function countsText(results: readonly CaseResult[]): string {
  const counts = countVerdicts(results);
  const parts = ORDER.filter((verdict) => counts[verdict]).map(
    (verdict) => `${counts[verdict]} ${VERDICTS[verdict].toLowerCase()}`,
  );
  return parts.join(', ') || 'no notebooks';
}

/** From the first submission to the last end. */
export const suiteMs = ({ started, finished }: SuiteReport): number =>
  Math.max(0, Date.parse(finished) - Date.parse(started));

export const secondsText = (seconds: number): string => durationText(seconds * 1_000);

/** Such as `cell 3, line 2 (line 41 of the file)`: cells are counted from 0, as on the job's page. */
export function placeText(place: Place): string {
  const line = place.cell_line === undefined ? '' : `, line ${place.cell_line}`;
  const ofFile = place.file_line === undefined ? '' : ` (line ${place.file_line} of the file)`;
  return `cell ${place.cell}${line}${ofFile}`;
}

/** Of a headline: an exception's message may be a whole table. */
const MAX_HEADLINE_CHARS = 2_000;
const MAX_NAME_CHARS = 200;

/** The exception's name where there is one, else the reason in words: `KeyError`, `Run timeout`. */
export const failureName = ({ name, reason }: Failure): string =>
  name?.slice(0, MAX_NAME_CHARS) ??
  reason.replaceAll('_', ' ').replace(/^[a-z]/, (first) => first.toUpperCase());

/** One line of what happened, such as `KeyError: 'u'`. */
export function headline({ verdict, failure }: CaseResult): string {
  if (!failure) return '';
  const message = failure.message.slice(0, MAX_HEADLINE_CHARS);
  const text = verdict === 'unexpected_pass' ? message : `${failureName(failure)}: ${message}`;
  return plain(text).trim().replaceAll(/\s+/g, ' ');
}

/** Text without what only terminals understand; lines end with \n. */
export const plain = (text: string): string => stripVTControlCharacters(text).replaceAll(/\r\n?/g, '\n');

/** The traceback, or what differs, without colours; empty when there is neither. */
export function detailText(failure: Failure, maxChars: number): string {
  const { traceback, differences = [] } = failure;
  const parts = [
    ...(traceback ? [traceback.join('\n')] : []),
    ...differences.map(({ cell, diff }) => `Cell ${cell}:\n${diff}`),
  ];
  return shortened(plain(parts.join('\n\n')), maxChars);
}

/** The beginning and the end of a text that is too long: of a traceback, the end tells most. */
export function shortened(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const begin = text.slice(0, Math.floor(maxChars / 4)).toWellFormed();
  const end = text.slice(text.length - Math.floor((maxChars * 3) / 4)).toWellFormed();
  return `${begin}\n… ${text.length - maxChars} characters are left out …\n${end}`;
}
