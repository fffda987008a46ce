import type { Cell } from '../../../lib/contract/nbformat.ts';

/** Whether a cell has a tag; `metadata.tags` is whatever the file says. */
export function hasTag(cell: Cell, tag: string): boolean {
  const tags = cell.metadata['tags'];
  return Array.isArray(tags) && tags.includes(tag);
}
