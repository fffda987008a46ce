/** Text for terminals as HTML: colours and weight are classes, so that a style sheet keeps them readable. */
import Anser from 'anser';
import { markup, type Html } from './markup.ts';

/** Text with more escape sequences is shown without its colours. */
const MAX_SEQUENCES = 2_000;

const SEQUENCE = '\u001B[';

export function ansiToHtml(text: string): Html {
  const sequences = text.split(SEQUENCE).length - 1;
  if (sequences === 0) return markup`${text}`;
  if (sequences > MAX_SEQUENCES) return markup`${Anser.ansiToText(text)}`;
  const pieces = Anser.ansiToJson(text, { json: true, remove_empty: true });
  return markup`${pieces.map((piece) => {
    const classes = classesOf(piece);
    return classes ? markup`<span class="${classes}">${piece.content}</span>` : piece.content;
  })}`;
}

function classesOf({ fg, decorations }: Anser.AnserJsonEntry): string {
  const colour = fg ? hueOf(fg) : undefined;
  const marks = (['bold', 'italic', 'underline'] as const).filter((mark) => decorations.includes(mark));
  return [...(colour ? [colour] : []), ...marks].map((name) => `ansi-${name}`).join(' ');
}

const HUES = [undefined, 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', undefined];

/**
 * The nearest of the six hues that have a readable shade on light and on dark; undefined for grey, black and white.
 *
 * @param colour "red, green, blue", each 0 to 255
 */
function hueOf(colour: string): string | undefined {
  const parts = colour.split(',').map(Number);
  const middle = (Math.max(...parts) + Math.min(...parts)) / 2;
  const bits = parts.map((part, bit) => (part > middle ? 1 << bit : 0));
  return HUES[bits.reduce((sum, bit) => sum + bit, 0)];
}
