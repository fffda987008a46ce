import { parse } from '@humanwhocodes/momoa';
import type { ValueNode } from '@humanwhocodes/momoa';
import { parseNotebook, type Notebook } from '../../lib/contract/nbformat.ts';

/** A file that can be run as a notebook, and where its cells are in it. */
export interface NotebookSource {
  /** As it is submitted. */
  ipynb: string;
  notebook: Notebook;
  /**
   * The line of the file, from 1, where a line of a cell is; where the file holds the cell's source as one string it is
   * where the cell begins. Undefined when there is no such cell.
   *
   * @param cell counted from 0
   * @param line of the cell's source, from 1
   */
  lineOf(cell: number, line?: number): number | undefined;
}

/** @throws {InvalidNotebookError} */
export function notebookSource(text: string): NotebookSource {
  return { ipynb: text, notebook: parseNotebook(text), lineOf: (cell, line) => lineInJson(text, cell, line) };
}

// Parsed once more, for few notebooks fail, and the positions of a large one take more memory than it has.
function lineInJson(text: string, cell: number, line: number | undefined): number | undefined {
  const cells = memberOf(parse(text, { mode: 'json' }).body, 'cells');
  const element = cells?.type === 'Array' ? cells.elements[cell]?.value : undefined;
  if (!element) return undefined;
  const source = memberOf(element, 'source');
  const lines = source?.type === 'Array' ? source.elements : [];
  const at = line === undefined ? undefined : lines[line - 1]?.value;
  return (at ?? element).loc.start.line;
}

function memberOf(node: ValueNode, name: string): ValueNode | undefined {
  if (node.type !== 'Object') return undefined;
  const member = node.members.find(({ name: key }) => key.type === 'String' && key.value === name);
  return member?.value;
}
