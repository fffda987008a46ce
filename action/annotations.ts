/** What GitHub shows beside the files of a commit. */
import type { AnnotationProperties } from '@actions/core';
import { FAILING, isAskedWrongly, type CaseResult } from '../suite/report.ts';
import { detailText, failureName, headline, plain, shortened } from '../suite/reports/words.ts';

export interface Annotation {
  level: 'error' | 'notice';
  message: string;
  properties: AnnotationProperties;
}

/** GitHub shows 10 of a level for each step; the last is for the step's own message. */
const MOST = 9;
/** GitHub cuts titles at 255 characters. */
const MOST_TITLE_CHARS = 200;
const MOST_MESSAGE_CHARS = 4_000;

/**
 * One for each notebook that failed, one for each cause by which others could not be run, and one for each warning; no more than are
 * shown.
 *
 * @param fileOf the path of a result's file in the repository; undefined when it is not in there
 */
export function annotationsOf(
  results: readonly CaseResult[],
  fileOf: (result: CaseResult) => string | undefined,
): Annotation[] {
  const errors = [...results.flatMap((result) => failureOf(result, fileOf(result))), ...troubles(results)];
  const notices = results.flatMap((result) => warningsOf(result, fileOf(result)));
  return [...bounded(errors), ...bounded(notices)];
}

function failureOf(result: CaseResult, file: string | undefined): Annotation[] {
  const { name, verdict, failure } = result;
  if (!FAILING.has(verdict) || !failure) return [];
  const line = failure.place?.file_line;
  const details = detailText(failure, MOST_MESSAGE_CHARS);
  const properties = {
    title: titled(`${failureName(failure)} in ${name}`),
    ...(file === undefined ? {} : { file }),
    ...(file === undefined || line === undefined ? {} : { startLine: line }),
  };
  return [{ level: 'error', message: [headline(result), details].filter(Boolean).join('\n\n'), properties }];
}

/** Most of them come from one cause: one for each that is different, of the service's or of options. */
function troubles(results: readonly CaseResult[]): Annotation[] {
  const errors = results.filter(({ verdict }) => verdict === 'error');
  const byKind = Map.groupBy(errors, (result) =>
    isAskedWrongly(result) ? 'Wrong options' : 'Trouble with the service',
  );
  return [...byKind].flatMap(([kind, all]) => {
    const byCause = Map.groupBy(all, ({ failure }) => failure?.message ?? 'The service does not say why');
    return [...byCause].map(([cause, of]): Annotation => ({
      level: 'error',
      message: shortened(`${plain(cause)}\n${of.map(({ name }) => name).join('\n')}`, MOST_MESSAGE_CHARS),
      properties: { title: `${kind}: ${counted(of.length)} could not be run` },
    }));
  });
}

function warningsOf({ name, warnings = [] }: CaseResult, file: string | undefined): Annotation[] {
  return warnings.map((warning) => ({
    level: 'notice',
    message: shortened(plain(warning), MOST_MESSAGE_CHARS),
    properties: { title: titled(`Warning of ${name}`), ...(file === undefined ? {} : { file }) },
  }));
}

function bounded(all: Annotation[]): Annotation[] {
  if (all.length <= MOST) return all;
  const shown = all.slice(0, MOST - 1);
  const { level } = all[0] as Annotation;
  const message = `GitHub shows no more than 10: ${all.length - shown.length} more are in the job's summary`;
  return [...shown, { level, message, properties: {} }];
}

export const counted = (count: number): string => `${count} notebook${count === 1 ? '' : 's'}`;

const titled = (text: string): string => plain(text).replaceAll(/\s+/g, ' ').slice(0, MOST_TITLE_CHARS);
