/** What cells are told by their tags. */
import { multiline, type Cell, type CodeCell } from './nbformat.ts';

const PARAMETERS_TAG = 'parameters';
export const INJECTED_TAG = 'injected-parameters';

/** Whether a cell has a tag; `metadata.tags` is whatever the file says. */
export function hasTag(cell: Cell, tag: string): boolean {
  const tags = cell.metadata['tags'];
  return Array.isArray(tags) && tags.includes(tag);
}

/** Whether the cell is one that is sent to the kernel. */
export function isExecutable(cell: Cell): cell is CodeCell {
  return cell.cell_type === 'code' && multiline(cell.source).trim() !== '' && !hasTag(cell, 'skip-execution');
}

/** A copy with a cell of parameters where papermill would put it: in the place of an earlier one, else behind the defaults. */
export function withInjected(cells: readonly Cell[], injected: CodeCell): Cell[] {
  const old = cells.findIndex((cell) => hasTag(cell, INJECTED_TAG));
  if (old !== -1) return cells.with(old, injected);
  const place = cells.findIndex((cell) => hasTag(cell, PARAMETERS_TAG)) + 1;
  return cells.toSpliced(place, 0, injected);
}
