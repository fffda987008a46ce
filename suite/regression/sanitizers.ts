/**
 * What differs from run to run without any fault of the notebook. Each of them is as narrow as it can be: what is hidden here
 * is never seen to have changed. Numbers of hours, minutes and seconds by themselves, for example, may be coordinates.
 */
import { stripVTControlCharacters } from 'node:util';
import { compilePattern, type RegressionOptions } from './options.ts';

/** Without nested repeats, so that none takes long. */
const BUILT_IN: [match: RegExp, replace: string][] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, 'UUID'],
  // Of objects, `at 0x7f…`, and of what is as long as a pointer.
  [/\bat 0x[0-9a-f]{1,16}\b/gi, 'at ADDRESS'],
  [/\b0x[0-9a-f]{10,16}\b/gi, 'ADDRESS'],
  // As ipykernel and IPython name cells, before other temporary files.
  [/(?:\/[\w.-]{1,255}){1,8}\/ipykernel_\d{1,10}\/\d{1,20}\.py/g, 'CELL'],
  [/<ipython-input-\d{1,10}-[0-9a-f]{1,16}>/g, 'CELL'],
  [/(?:\/private)?\/(?:tmp|var\/tmp|var\/folders)\/[^\s'"`,;:()<>[\]{}]{1,4096}/g, 'TEMPORARY'],
  // IPython's %time and %timeit, tqdm's rates.
  [/^(?:CPU times|Wall time): .*$/gm, 'TIMING'],
  [/^[\d.]{1,20} ?(?:ns|[µμu]s|ms|s|min|h) ± .* per loop .*$/gm, 'TIMING'],
  [/\[(?:\d{1,3}:)?\d{1,3}:\d\d<[^\]\n]{1,80}\]/g, '[TIMING]'],
  [
    /\b(took|elapsed|finished in|done in|runtime|duration)(:? ?=? ?(?:about )?)[\d.]{1,20} ?(?:ns|[µμu]s|ms|s|secs?|seconds?|min|minutes?|h|hours?)\b/gi,
    '$1$2TIMING',
  ],
  // ISO 8601, with its time if there is one; C's asctime; HTTP's.
  [
    /\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?(?!\d)/g,
    'DATE',
  ],
  [
    /\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]?\d \d\d:\d\d:\d\d(?: [A-Z]{3,4})? \d{4}\b/g,
    'DATE',
  ],
  [
    /\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}(?: \d\d:\d\d:\d\d(?: GMT| UTC| [+-]\d{4})?)?/g,
    'DATE',
  ],
];

export type Sanitizer = (text: string) => string;

/** First what always may vary, then what the suite's file says. */
export function sanitizerOf({ sanitize }: Pick<RegressionOptions, 'sanitize'>): Sanitizer {
  const own = sanitize.map(({ match, replace }) => ({ pattern: compilePattern(match), replace }));
  return (text) => {
    let clean = lastStates(stripVTControlCharacters(text));
    for (const [match, replace] of BUILT_IN) clean = clean.replaceAll(match, replace);
    for (const { pattern, replace } of own) clean = pattern.matcher(clean).replaceAll(replace);
    return clean;
  };
}

/** As a terminal shows it: what follows a carriage return replaces its line, as progress bars do. Ends of lines do not count. */
const lastStates = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .map((line) => line.slice(line.lastIndexOf('\r') + 1))
    .join('\n');
