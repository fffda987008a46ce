/** What a cell has put out, as text that is the same when it is the same to its reader. */
import type { Output } from '../../lib/contract/nbformat.ts';
import type { RegressionOptions } from './options.ts';
import type { Sanitizer } from './sanitizers.ts';

/** Of one piece: what follows is not compared. */
const MAX_CHARS = 512 * 1024;

/**
 * Streams first, each as a whole, since how they are cut and mixed is chance; then the other outputs, in their order. Counts,
 * metadata and tracebacks are left out, and whether a cell displays a value or returns it.
 */
export function outputText(
  outputs: readonly Output[],
  { ignore }: Pick<RegressionOptions, 'ignore'>,
  sanitize: Sanitizer,
): string {
  const piece = (title: string, text: string) =>
    `${title}:\n${sanitize(bounded(text)).replace(/\n*$/, '\n')}`;
  const pieces = (['stdout', 'stderr'] as const).flatMap((name) => {
    const text = outputs.map((output) => streamText(output, name)).join('');
    return text === '' ? [] : [piece(name, text)];
  });
  for (const output of outputs) {
    if (output.output_type === 'stream') continue;
    if (output.output_type === 'error')
      pieces.push(piece('error', `${output.ename}: ${textOf(output.evalue)}`));
    else pieces.push(...dataPieces(output.data ?? {}, ignore, piece));
  }
  return pieces.join('');
}

const streamText = (output: Output, name: 'stdout' | 'stderr'): string =>
  output.output_type === 'stream' && output.name === name ? textOf(output.text) : '';

function dataPieces(
  data: Record<string, unknown>,
  ignore: readonly string[],
  piece: (title: string, text: string) => string,
): string[] {
  return Object.entries(data)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, content]) => {
      if (ignore.some((pattern) => isOfType(type, pattern))) return `${type} (not compared)\n`;
      if (!type.startsWith('application/vnd.jupyter.widget-')) return piece(type, textOf(content));
      // Widgets have a new id each time, in hexadecimal without dashes.
      return piece(type, textOf(content).replaceAll(/\b[0-9a-f]{32}\b/g, 'ID'));
    });
}

/** @param pattern `image/png`, or `image/*` for all of its kind */
const isOfType = (type: string, pattern: string): boolean =>
  pattern.endsWith('/*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

/** nbformat's text in one or several pieces; of JSON, the same text for the same value. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value.join('');
  return JSON.stringify(value, (_, part: unknown) => (isRecord(part) ? sorted(part) : part), 1) ?? '';
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const sorted = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));

const bounded = (text: string): string =>
  text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}\n(the rest is too long to be compared)` : text;
