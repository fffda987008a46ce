/**
 * Markdown as notebooks: the code cells of MyST (https://mystmd.org/guide/notebooks-with-markdown), and in a file that has
 * none of them its fences of Python, so that the samples of a documentation can be tested.
 */
import MarkdownIt from 'markdown-it';
import { cellOptions, withTags } from './cell-options.ts';
import { frontMatter, yamlObject } from './front-matter.ts';
import type { NotebookSource } from './notebook-source.ts';
import { linesOf, textNotebook, trimmed, type TextCell } from './text-notebook.ts';

const CODE_CELL = /^\{code-cell\}/;
const PYTHON = /^i?py(?:thon)?3?(?=$|[\s{])/;
/** jupytext's word for a sample that is to be read only. */
const READ_ONLY = /\.noeval\b/;
const BREAK = /^\+\+\+(?:\s|$)/;

// With HTML, so that what is commented out is no sample.
const MARKDOWN = new MarkdownIt({ html: true });
MARKDOWN.block.ruler.before(
  'hr',
  'block_break',
  (state, startLine, _endLine, silent) => {
    const begin = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
    if (!BREAK.test(state.src.slice(begin, state.eMarks[startLine]))) return false;
    if (silent) return true;
    state.line = startLine + 1;
    state.push('block_break', '', 0).map = [startLine, startLine + 1];
    return true;
  },
  { alt: ['paragraph'] },
);

/** @throws {InvalidNotebookError} when YAML in it is not valid */
export function mystSource(text: string): NotebookSource {
  const lines = linesOf(text);
  const { header, lines: first } = frontMatter(lines);
  // Empty in the place of the front matter, so that lines are those of the file.
  const body = [...Array<string>(first).fill(''), ...lines.slice(first)];
  const tokens = MARKDOWN.parse(body.join('\n'), {}).filter(({ map }) => map !== null);
  const fences = tokens.filter(({ type }) => type === 'fence');
  const own = fences.filter(({ info }) => CODE_CELL.test(info.trim()));
  const samples = fences.filter(({ info }) => PYTHON.test(info.trim()) && !READ_ONLY.test(info));
  const isCell = new Set(own.length > 0 ? own : samples);
  const cells: TextCell[] = [];
  let from = first;
  for (const token of tokens) {
    const [begin, end] = token.map as [number, number];
    if (token.type !== 'block_break' && !isCell.has(token)) continue;
    cells.push({ type: 'markdown', source: body.slice(from, begin), line: from + 1 });
    if (isCell.has(token)) cells.push(codeCell(token.info.trim(), token.content, begin + 2));
    from = end;
  }
  cells.push({ type: 'markdown', source: body.slice(from), line: from + 1 });
  return textNotebook(cells, header);
}

function codeCell(info: string, content: string, line: number): TextCell {
  const source = content.replace(/\n$/, '').split('\n');
  if (!CODE_CELL.test(info)) {
    return { type: 'code', source, line, metadata: cellOptions(info.replace(PYTHON, '')) };
  }
  const { options, lines } = directiveOptions(source, line);
  const cell: TextCell = { type: 'code', source: source.slice(lines), line: line + lines, metadata: options };
  return trimmed(cell) ?? cell;
}

/** Options of a directive: YAML between lines of `---`, or lines of the form `:name: value` in front of its content. */
function directiveOptions(
  source: readonly string[],
  line: number,
): { options: Record<string, unknown>; lines: number } {
  const block = frontMatter(source, line);
  if (block.lines > 0) return { options: withTags(block.header), lines: block.lines };
  const end = source.findIndex((text) => !/^:[\w-]+:(?:\s|$)/.test(text));
  const lines = end === -1 ? source.length : end;
  const yaml = source.slice(0, lines).map((text) => text.replace(/^:([\w-]+):/, '$1:'));
  return { options: withTags(yamlObject(yaml, line)), lines };
}
