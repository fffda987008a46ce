/**
 * Python scripts as notebooks, in the percent format (https://jupytext.readthedocs.io/en/latest/formats-scripts.html):
 * each cell begins with a comment `# %%`. A script without such comments is one cell.
 */
import { cellOptions } from './cell-options.ts';
import { isActive, uncomment, withMagics } from './commented.ts';
import { frontMatter } from './front-matter.ts';
import type { NotebookSource } from './notebook-source.ts';
import { OpenStrings } from './python-strings.ts';
import { linesOf, textNotebook, trimmed, type TextCell } from './text-notebook.ts';

/** `# In[3]:` is nbconvert's. `# %%time` is none: it is a cell magic that was commented out. */
const MARKER = /^\s*#\s*(?:%%(?:%*\s+(?<says>.*))?|<codecell>|In\[[\d ]*\]:?)\s*$/;
const TYPE = /(?:^|\s)\[(?<type>markdown|md|raw)\](?:\s|$)/;

/** @throws {InvalidNotebookError} */
export function percentSource(text: string): NotebookSource {
  const lines = linesOf(text);
  const { header, first } = begin(lines);
  const cells: TextCell[] = [{ type: 'code', source: [], line: first + 1 }];
  const strings = new OpenStrings();
  let fence: string | undefined;
  for (const [index, line] of lines.entries()) {
    if (index < first) continue;
    const cell = cells.at(-1) as TextCell;
    // What looks like the beginning of a cell may be a line of a string, or of a diagram in the text.
    const marker = strings.areOpen || fence !== undefined ? null : MARKER.exec(line);
    if (marker) {
      cells.push(begun(marker.groups?.['says'] ?? '', index + 2));
      continue;
    }
    strings.read(line);
    cell.source.push(line);
    if (cell.type !== 'code') fence = fenceAfter(lines, index, fence);
  }
  return textNotebook(cells.map(content), header);
}

/** What stands in front of the cells: how the script is started, its encoding, and what it says of itself. */
function begin(lines: readonly string[]): { header: Record<string, unknown>; first: number } {
  const shebang = lines[0]?.startsWith('#!') ? 1 : 0;
  const intro = shebang + (/^#.*coding[:=]/.test(lines[shebang] ?? '') ? 1 : 0);
  const { header, lines: length } = frontMatter(lines.slice(intro).map(uncomment), intro + 1);
  return { header, first: intro + length };
}

const FENCE = /^ {0,3}(?<fence>`{3,}|~{3,})/;

/** The fence in the text of a cell that is open behind a line: one that nothing ends is none. */
function fenceAfter(lines: readonly string[], index: number, open: string | undefined): string | undefined {
  const isEnd = (fence: string, line: string) => {
    const text = uncomment(line).trim();
    return text.length >= fence.length && text === fence.charAt(0).repeat(text.length);
  };
  const line = lines[index] as string;
  if (open !== undefined) return isEnd(open, line) ? undefined : open;
  const fence = FENCE.exec(uncomment(line))?.groups?.['fence'];
  if (fence === undefined) return undefined;
  return lines.slice(index + 1).some((later) => isEnd(fence, later)) ? fence : undefined;
}

function begun(says: string, line: number): TextCell {
  const type = TYPE.exec(says)?.groups?.['type'];
  const metadata = cellOptions(says);
  const isText = type === 'markdown' || type === 'md';
  const isRaw = type === 'raw' || !isActive('ipynb', metadata);
  return { type: isText ? 'markdown' : isRaw ? 'raw' : 'code', source: [], line, metadata };
}

function content(cell: TextCell): TextCell {
  const { type, source } = cell;
  const { language, magic_args: args, ...metadata } = cell.metadata ?? {};
  const isPython = isActive('py', metadata);
  if (type !== 'code') return type === 'raw' && isPython && 'active' in metadata ? cell : plainText(cell);
  if (typeof language !== 'string' || language === 'python')
    return { ...cell, metadata, source: isPython ? withMagics(source) : source.map(uncomment) };
  const magic = [`%%${language}`, ...(typeof args === 'string' ? [args] : [])].join(' ');
  // In the place of the line that begins the cell.
  return { ...cell, metadata, line: cell.line - 1, source: [magic, ...source.map(uncomment)] };
}

/** Text is written as comments, or as one string in three quotes. */
function plainText(cell: TextCell): TextCell {
  const { source, line } = trimmed(cell) ?? cell;
  const quoted = /^[rR]?(?<quote>"""|''')[^]*\k<quote>$/.test(source.join('\n').trim());
  if (!quoted) return { ...cell, source: cell.source.map((text) => text.replace(/^\s*# ?/, '')) };
  const text = [...source];
  text[0] = (text[0] as string).replace(/^\s*[rR]?.{3}/, '');
  text.push((text.pop() as string).replace(/.{3}\s*$/, ''));
  return { ...cell, source: text, line };
}
