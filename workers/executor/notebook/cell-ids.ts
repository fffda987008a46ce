import { randomUUID } from 'node:crypto';
import type { Cell, Notebook } from '../../../lib/contract/nbformat.ts';

/** Cells have ids since nbformat 4.5. */
const FIRST_MINOR_WITH_IDS = 5;

/** Whether cells of this notebook must have an id; in older ones they must not. */
export function hasCellIds(notebook: Notebook): boolean {
  return notebook.nbformat_minor >= FIRST_MINOR_WITH_IDS;
}

/** An id as nbformat makes them. */
export function newCellId(): string {
  return randomUUID().slice(0, 8);
}

/** Gives an id to cells that miss theirs, and another one to those whose id came before, as reading with nbformat does. */
export function repairCellIds(notebook: Notebook): void {
  if (!hasCellIds(notebook)) return;
  const seen = new Set<string>();
  for (const [index, cell] of notebook.cells.entries()) {
    if (cell.id === undefined || seen.has(cell.id)) notebook.cells[index] = withId(cell, newCellId());
    seen.add(notebook.cells[index]?.id ?? '');
  }
}

function withId(cell: Cell, id: string): Cell {
  return { ...cell, id };
}
