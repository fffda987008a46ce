/** Notebooks that are kept as text: what they have in common, whichever form the text has. */
import { NBFORMAT, type Notebook } from '../../lib/contract/nbformat.ts';
import type { NotebookSource } from './notebook-source.ts';

/** A cell as it lies in a file: its source is some of the file's lines, one after the other. */
export interface TextCell {
  type: 'code' | 'markdown' | 'raw';
  source: string[];
  /** The line of the file, from 1, where its source begins. */
  line: number;
  metadata?: Record<string, unknown>;
}

/** Lines of a file, whichever ends they have; a byte order mark is none of its text. */
export const linesOf = (text: string): string[] => text.replace(/^\uFEFF/, '').split(/\r\n|[\n\r]/);

/** Without empty lines at both ends; undefined when it has no others. */
export function trimmed(cell: TextCell): TextCell | undefined {
  const first = cell.source.findIndex((line) => line.trim() !== '');
  if (first === -1) return undefined;
  const last = cell.source.findLastIndex((line) => line.trim() !== '');
  return { ...cell, source: cell.source.slice(first, last + 1), line: cell.line + first };
}

/** An object within another; an empty one when there is none. */
export function nested(object: Record<string, unknown>, name: string): Record<string, unknown> {
  const value = object[name];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * @param header what the file says of itself, by itself or under `jupyter`: of that, a notebook keeps which kernel it wants
 */
export function textNotebook(
  found: readonly TextCell[],
  header: Record<string, unknown> = {},
): NotebookSource {
  const placed = found.flatMap((cell) => trimmed(cell) ?? []);
  const kernelspec = nested({ ...header, ...nested(header, 'jupyter') }, 'kernelspec');
  const notebook: Notebook = {
    nbformat: NBFORMAT.major,
    nbformat_minor: NBFORMAT.newestMinor,
    metadata: Object.keys(kernelspec).length > 0 ? { kernelspec } : {},
    cells: placed.map(({ type, source, metadata = {} }, index) => {
      const cell = { id: `cell-${index + 1}`, source: source.join('\n'), metadata };
      return type === 'code'
        ? { ...cell, cell_type: type, outputs: [], execution_count: null }
        : { ...cell, cell_type: type };
    }),
  };
  return {
    ipynb: JSON.stringify(notebook),
    notebook,
    lineOf: (index, line = 1) => {
      const cell = placed[index];
      return cell && cell.line + Math.min(line, cell.source.length) - 1;
    },
  };
}
