/**
 * Python scripts as notebooks, in the percent format (https://jupytext.readthedocs.io/en/latest/formats-scripts.html):
 * each cell begins with a comment `# %%`. A script without such comments is one cell.
 */
import { cellOptions } from './cell-options.ts';
import { frontMatter } from './front-matter.ts';
import type { NotebookSource } from './notebook-source.ts';
import { linesOf, textNotebook, type TextCell } from './text-notebook.ts';

/** `# %%time` is none: it is a cell magic that jupytext has commented out. */
const MARKER = /^\s*#\s*%%%*(?:\s+(?<says>.*))?$/;
const TYPE = /(?:^|\s)\[(?<type>markdown|md|raw)\](?:\s|$)/;

/** @throws {InvalidNotebookError} */
export function percentSource(text: string): NotebookSource {
  const lines = linesOf(text);
  const { header, lines: first } = frontMatter(lines.map((line) => line.replace(/^# ?/, '')));
  const cells: TextCell[] = [{ type: 'code', source: [], line: first + 1 }];
  const strings = new OpenStrings();
  for (const [index, line] of lines.entries()) {
    if (index < first) continue;
    // What looks like the beginning of a cell may be a line of a string.
    const marker = strings.areOpen ? null : MARKER.exec(line);
    if (marker) cells.push(begun(marker.groups?.['says'] ?? '', index + 2));
    else {
      strings.read(line);
      cells.at(-1)?.source.push(line);
    }
  }
  const { jupyter } = header;
  const own = typeof jupyter === 'object' && jupyter !== null ? (jupyter as Record<string, unknown>) : {};
  return textNotebook(cells.map(content), own);
}

function begun(says: string, line: number): TextCell {
  const type = TYPE.exec(says)?.groups?.['type'];
  const metadata = cellOptions(says);
  return {
    type: type === undefined ? 'code' : type === 'raw' ? 'raw' : 'markdown',
    source: [],
    line,
    metadata,
  };
}

function content(cell: TextCell): TextCell {
  return cell.type === 'code' ? { ...cell, source: withMagics(cell.source) } : uncommented(cell);
}

/** Text is written as comments, or as one string in three quotes. */
function uncommented(cell: TextCell): TextCell {
  const whole = cell.source.join('\n').trim();
  const quote = ['"""', "'''"].find((quote) => whole.startsWith(quote) && whole.endsWith(quote));
  if (quote === undefined || whole.length < 2 * quote.length)
    return { ...cell, source: cell.source.map((line) => line.replace(/^\s*# ?/, '')) };
  return { ...cell, source: cell.source.map((line) => line.replace(quote, '')) };
}

const COMMENT = /^(\s*)# ?/;
/** A magic or a command of the shell behind a `#`; behind two of them it is a comment that looks like one. */
const COMMENTED_MAGIC = /^\s*#\s?(?:# ?)*(?:%{1,3}[a-zA-Z]|!\s*[\w.~$\\/{}])/;

/** jupytext comments out what is no Python, so that the script is one. */
function withMagics(source: readonly string[]): string[] {
  const uncomment = (line: string) => line.replace(COMMENT, '$1');
  const first = source.findIndex((line) => line.trim() !== '');
  const isOther = /^#\s?%%[a-zA-Z]/.test(source[first] ?? '');
  // Below `%%bash` nothing is Python; below `%%time` all of it is.
  if (isOther && source.every((line) => line.trim() === '' || COMMENT.test(line)))
    return source.map(uncomment);
  return source.map((line) => (COMMENTED_MAGIC.test(line) ? uncomment(line) : line));
}

/** What a string in three quotes begins with, strings of one line, and comments. */
const CODE = /"""|'''|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|#/g;
const IN_STRING = /\\.|"""|'''/g;

/** Follows Python's strings in three quotes from line to line. */
class OpenStrings {
  #quote: string | undefined;

  get areOpen(): boolean {
    return this.#quote !== undefined;
  }

  read(line: string): void {
    for (let at = 0; ;) {
      const token = this.#quote === undefined ? CODE : IN_STRING;
      token.lastIndex = at;
      const found = token.exec(line)?.[0];
      if (found === undefined || found === '#') return;
      at = token.lastIndex;
      if (found === this.#quote) this.#quote = undefined;
      else if (this.#quote === undefined && (found === '"""' || found === "'''")) this.#quote = found;
    }
  }
}
