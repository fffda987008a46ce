/** Text for GitHub Flavored Markdown (https://github.github.com/gfm/): whatever is put into it stays text. */
import { plain } from './words.ts';

/** Of a name or message in a line or table. */
const MAX_CODE_CHARS = 300;

/**
 * Text on one line, as code. Each sign is written as a reference: a backslash before a `|` would end a table's cell even
 * within backticks, and names of people within code are no mentions.
 */
export function code(text: string): string {
  const line = plain(text).trim().replaceAll(/\s+/g, ' ');
  const cut = line.length > MAX_CODE_CHARS ? `${line.slice(0, MAX_CODE_CHARS)}…` : line;
  return line === '' ? '' : `<code>${escaped(cut)}</code>`;
}

const escaped = (text: string): string =>
  text.toWellFormed().replaceAll(/[^\p{L}\p{N} ]/gu, (sign) => {
    const point = sign.codePointAt(0) as number;
    // Unicode's other signs mean nothing to Markdown; of controls nothing is to be seen.
    return point > 0x9f ? sign : point < 0x20 || point > 0x7e ? ' ' : `&#${point};`;
  });

/** A block that ends where it is to end, whatever the text is: its fence is longer than any within. */
export function fenced(text: string, language: 'text' | 'diff'): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  const content = plain(text)
    .toWellFormed()
    .replaceAll(/[^\P{Cc}\t\n]/gu, ' ');
  return `${fence}${language}\n${content.replace(/\n+$/, '')}\n${fence}`;
}

/** A link to elsewhere; empty when it is not to be followed. */
export function link(url: string | undefined, text: string): string {
  const target = url === undefined ? null : URL.parse(url);
  if (!target || !/^https?:$/.test(target.protocol)) return '';
  const href = target.href
    .replaceAll(/[^\w\-.~:/?#@!$&+,;=%]/g, encodeURIComponent)
    .replaceAll(/['()*!]/g, percent);
  return `<a href="${href.replaceAll('&', '&amp;')}">${text}</a>`;
}

/** Of what encodeURIComponent leaves as it is. */
const percent = (sign: string): string => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
