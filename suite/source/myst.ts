/**
 * Markdown as notebooks: the code cells of MyST (https://mystmd.org/guide/notebooks-with-markdown), and in a file that has
 * none of them its fences of Python, so that the samples of a documentation can be tested.
 */
import MarkdownIt from 'markdown-it';
import { cellOptions, withTags } from './cell-options.ts';
import { frontMatter, yamlObject } from './front-matter.ts';
import type { NotebookSource } from './notebook-source.ts';
import { linesOf, nested, textNotebook, trimmed, type TextCell } from './text-notebook.ts';

const CELL = /^\{(?<type>code|raw)-cell\}/;
const PYTHON = /^i?py(?:thon)?3?(?=$|[\s{])/;
/** jupytext's word for a sample that is to be read only. */
const READ_ONLY = /\.noeval\b/;
const BREAK = /^\+\+\+(?:\s(?<says>[^]*))?$/;

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
  const own = fences.filter(({ info }) => CELL.test(info.trim()));
  const samples = fences.filter(({ info }) => PYTHON.test(info.trim()) && !READ_ONLY.test(info));
  const isCell = new Set(own.length > 0 || isNotebook(header) ? own : samples);
  const cells: TextCell[] = [];
  let [from, metadata] = [first, {}];
  for (const token of tokens) {
    const [begin, end] = token.map as [number, number];
    if (token.type !== 'block_break' && !isCell.has(token)) continue;
    cells.push({ type: 'markdown', source: body.slice(from, begin), line: from + 1, metadata });
    if (isCell.has(token)) cells.push(fencedCell(token.info.trim(), token.content, begin + 2));
    [from, metadata] = [end, token.type === 'block_break' ? saidBy(body[begin] as string) : {}];
  }
  cells.push({ type: 'markdown', source: body.slice(from), line: from + 1, metadata });
  return textNotebook(cells, header);
}

/** Whether jupytext has written it: then its other fences are shown only, even when there are no cells of code. */
function isNotebook(header: Record<string, unknown>): boolean {
  const form = nested(nested(header, 'jupytext'), 'text_representation');
  return form['format_name'] === 'myst';
}

/** What a break says of the text behind it: an object of JSON; anything else is for people. */
function saidBy(line: string): Record<string, unknown> {
  const says = BREAK.exec(line.trim())?.groups?.['says']?.trim() ?? '';
  return says.startsWith('{') ? cellOptions(says) : {};
}

function fencedCell(info: string, content: string, line: number): TextCell {
  const source = content.replace(/\n$/, '').split('\n');
  const type = CELL.exec(info)?.groups?.['type'] as 'code' | 'raw' | undefined;
  if (type === undefined) {
    return { type: 'code', source, line, metadata: cellOptions(info.replace(PYTHON, '')) };
  }
  const { options, lines } = directiveOptions(source, line);
  const cell: TextCell = { type, source: source.slice(lines), line: line + lines, metadata: options };
  return trimmed(cell) ?? cell;
}

/** Options of a directive: YAML between lines of `---`, or in lines that begin with a colon, in front of its content. */
function directiveOptions(
  source: readonly string[],
  line: number,
): { options: Record<string, unknown>; lines: number } {
  const block = frontMatter(source, line);
  if (block.lines > 0) return { options: withTags(block.header), lines: block.lines };
  const end = source.findIndex((text) => !/^\s*:/.test(text));
  const lines = end === -1 ? source.length : end;
  const yaml = source.slice(0, lines).map((text) => text.replace(/^\s*:/, ''));
  return { options: withTags(yamlObject(yaml, line)), lines };
}
