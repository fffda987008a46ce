/** Text of notebooks, which keep their promises only as far as somebody has checked them. */
import { markup, type Html } from '../../../../lib/html/markup.ts';

/** nbformat's text in one or several pieces; what is something else is shown as the JSON that it is. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((piece) => typeof piece === 'string')) return value.join('');
  return value === undefined ? '' : JSON.stringify(value, undefined, 1);
}

/** The beginning and the end of a text that is long, as both tell most. */
export function shortened(text: string, maxChars: number): { begin: string; cut: number; end: string } {
  const cut = text.length - maxChars;
  if (cut <= 0) return { begin: text, cut: 0, end: '' };
  const half = Math.floor(maxChars / 2);
  return { begin: text.slice(0, half), cut, end: text.slice(half + cut) };
}

/** What is wider than the screen is scrolled within itself, with the keyboard too. */
export const SCROLLED = markup` tabindex="0"`;

/** Around what a library has made. */
export const rich = (content: Html): Html =>
  markup`<div class="rich"${/<(?:table|pre)/.test(content.text) && SCROLLED}>${content}</div>`;

export const note = (text: string): Html => markup`<p class="note">${text}</p>`;

export const cutNote = (chars: number): Html =>
  note(
    `${chars.toLocaleString('en')} characters are not shown here: they are in the notebook, to be downloaded.`,
  );
