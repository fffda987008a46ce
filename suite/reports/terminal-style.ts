import { stripVTControlCharacters, styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import type { Verdict } from '../report.ts';

export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string;

/** Colours where the stream shows them (`NO_COLOR` is heeded), or anyway when they are forced. */
export function painter(stream: NodeJS.WritableStream, isForced = false): Paint {
  const { isTTY = false } = stream as Partial<WriteStream>;
  const isColoured = isForced || (isTTY && (stream as WriteStream).hasColors());
  return (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text);
}

export const MARKS: Record<Verdict, { mark: string; style: Parameters<Paint>[0] }> = {
  passed: { mark: '✓', style: 'green' },
  failed: { mark: '✗', style: 'red' },
  expected_failure: { mark: '~', style: 'yellow' },
  unexpected_pass: { mark: '✗', style: 'red' },
  error: { mark: '!', style: 'magenta' },
  cancelled: { mark: '-', style: 'gray' },
  skipped: { mark: '-', style: 'gray' },
};

// The control sequence of colours (ECMA-48, SGR), and everything else that a terminal may take for an order.
const ESC = '\u001B';
const SGR = new RegExp(`(${ESC}\\[[\\d;]*m)`);
const CONTROL = /[^\P{Cc}\n\t]/gu;

/** A name or a headline as it may go to a terminal. */
export const oneLine = (text: string): string => harmless(text, false).replaceAll(/\s+/g, ' ');

/** Text of a notebook as it may go to a terminal: of its control sequences only colours stay, if they are wanted. */
export function harmless(text: string, colours: boolean): string {
  const parts = text.split(SGR);
  const safe = parts.map((part, n) => {
    if (n % 2 === 1) return colours ? part : '';
    return stripVTControlCharacters(part).replaceAll(CONTROL, '');
  });
  return safe.join('') + (colours && parts.length > 1 ? '\u001B[0m' : '');
}
