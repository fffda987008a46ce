/**
 * Python scripts as notebooks, in the percent format (https://jupytext.readthedocs.io/en/latest/formats-scripts.html):
 * each cell begins with a comment `# %%`. A script without such comments is one cell.
 */
import { cellOptions } from './cell-options.ts';
import { isActive, uncomment, withMagics } from './commented.ts';
import { Fences } from './fences.ts';
import { frontMatter } from './front-matter.ts';
import type { NotebookSource } from './notebook-source.ts';
import { OpenStrings } from './python-strings.ts';
import { linesOf, textNotebook, trimmed, type TextCell } from './text-notebook.ts';

/** `# In[3]:` is nbconvert's. `# %%time` is none: it is a cell magic that was commented out. */
const MARKER = /^\s*#\s*(?:%%(?:%*\s(?<says>[^]*))?|(?:<codecell>|In\[[\d ]*\]:?)\s*)$/;
const TYPE = /(?:^|\s)\[(?<type>markdown|md|raw)\](?:\s|$)/;

/** @throws {InvalidNotebookError} */
export function percentSource(text: string): NotebookSource {
  const lines = linesOf(text);
  const { header, first } = begin(lines);
  const cells: TextCell[] = [{ type: 'code', source: [], line: first + 1 }];
  const strings = new OpenStrings();
  const fences = new Fences(lines.map(uncomment));
  for (const [index, line] of lines.entries()) {
    if (index < first) continue;
    const cell = cells.at(-1) as TextCell;
    // What looks like the beginning of a cell may be a line of a string, or of a diagram in the text.
    const marker = strings.areOpen || fences.areOpen ? null : MARKER.exec(line);
    if (marker) {
      cells.push(begun(marker.groups?.['says'] ?? '', index + 2));
      continue;
    }
    strings.read(line);
    cell.source.push(line);
    if (cell.type !== 'code') fences.read(index);
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
  text.push((text.pop() as string).trimEnd().slice(0, -3));
  return { ...cell, source: text, line };
}
