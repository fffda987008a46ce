import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';

const MAX_CHARS = 16 * 1024;
/** In lines that are added or taken away: the time grows with its square. */
const MAX_EDITS = 1_000;
const MAX_LINE_CHARS = 1_000;

/** @returns the lines that differ with three around them, cut where they are too many */
export function unifiedDiff(then: string, now: string): string {
  const options = { context: 3, maxEditLength: MAX_EDITS, headerOptions: FILE_HEADERS_ONLY };
  const diff = createTwoFilesPatch('reference', 'this run', then, now, undefined, undefined, options);
  if (diff === undefined) return `More than ${MAX_EDITS} lines differ.`;
  const lines = diff.trimEnd().split('\n').map(shortLine);
  const text = lines.join('\n');
  return text.length <= MAX_CHARS
    ? text
    : `${text.slice(0, MAX_CHARS).toWellFormed()}\n… the rest of the difference is left out …`;
}

const shortLine = (line: string): string =>
  line.length <= MAX_LINE_CHARS ? line : `${line.slice(0, MAX_LINE_CHARS).toWellFormed()} …`;
