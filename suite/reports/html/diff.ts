import { markup, type Html } from '../../../lib/html/markup.ts';
import { plain } from '../words.ts';

/** A unified diff, its lines told apart by colour as well as by their first sign. */
export function diffToHtml(diff: string): Html {
  return markup`${plain(diff)
    .split('\n')
    .map((line) => {
      const kind = /^(?:---|\+\+\+) /.test(line) ? 'head' : KINDS[line[0] ?? ''];
      return kind ? markup`<span class="${kind}">${line}</span>\n` : `${line}\n`;
    })}`;
}

const KINDS: Record<string, string> = { '+': 'add', '-': 'del', '@': 'head' };
