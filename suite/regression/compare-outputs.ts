/** Whether a notebook puts out what it did before. */
import { hasTag, INJECTED_TAG } from '../../lib/contract/cell-tags.ts';
import { multiline, type CodeCell, type Notebook } from '../../lib/contract/nbformat.ts';
import type { RegressionOptions } from './options.ts';
import { outputText } from './output-text.ts';
import { sanitizerOf } from './sanitizers.ts';
import { unifiedDiff } from './unified-diff.ts';

export interface Difference {
  /** Of the executed notebook, counted from 0 over all of its cells. */
  cell: number;
  /** From the reference to what is now: a unified diff, or a word why there is none. */
  diff: string;
}

/** Of all diffs: what comes after is named only. */
const MAX_DIFF_CHARS = 256 * 1024;

/**
 * Compares the outputs of code cells, one by one, with those of the same cells of a reference. A cell whose source is another
 * one there ends the comparison, as what follows may depend on it; a cell that was not run there is passed over.
 *
 * @returns the cells that differ, in their order
 */
export function compareOutputs(
  executed: Notebook,
  reference: Notebook,
  options: Omit<RegressionOptions, 'against'>,
): Difference[] {
  const sanitize = sanitizerOf(options);
  const text = ({ outputs }: CodeCell) => outputText(outputs, options, sanitize);
  const differences: Difference[] = [];
  let left = MAX_DIFF_CHARS;
  for (const { index, cell, before } of sameCells(executed, reference)) {
    if (!isCompared(cell, options.cells) || !wasRun(before)) continue;
    const [then, now] = [text(before), text(cell)];
    if (then === now) continue;
    const diff =
      left > 0 ? unifiedDiff(then, now) : 'It differs, too; there are too many differences to show this one.';
    left -= diff.length;
    differences.push({ cell: index, diff });
  }
  return differences;
}

/** Whether there is anything in a notebook to compare with: files are often committed without their outputs. */
export const hasOutputs = ({ cells }: Notebook): boolean =>
  cells.some((cell) => cell.cell_type === 'code' && !hasTag(cell, INJECTED_TAG) && wasRun(cell));

const wasRun = ({ outputs, execution_count }: CodeCell): boolean =>
  outputs.length > 0 || execution_count !== null;

interface Numbered {
  index: number;
  cell: CodeCell;
}

function* sameCells(executed: Notebook, reference: Notebook): Generator<Numbered & { before: CodeCell }> {
  const others = codeCells(reference);
  const byId = new Map(others.map(({ cell }) => [cell.id, cell]));
  for (const [place, { index, cell }] of codeCells(executed).entries()) {
    // Notebooks before nbformat 4.5 have no ids, or get new ones each time.
    const before = (cell.id === undefined ? undefined : byId.get(cell.id)) ?? others[place]?.cell;
    if (!before || sourceOf(before) !== sourceOf(cell)) return;
    yield { index, cell, before };
  }
}

/** Parameters take a cell of their own in one notebook and not in the other. */
const codeCells = ({ cells }: Notebook): Numbered[] =>
  cells.flatMap((cell, index) =>
    cell.cell_type === 'code' && !hasTag(cell, INJECTED_TAG) ? [{ index, cell }] : [],
  );

const sourceOf = ({ source }: CodeCell): string => multiline(source).trimEnd();

/**
 * What nbval knows of cells (https://nbval.readthedocs.io/), as tags or as comments. Its `nbval-skip` says not to run a cell:
 * here it has been run, and its outputs are not looked at.
 */
function isCompared(cell: CodeCell, cells: RegressionOptions['cells']): boolean {
  if (isMarked(cell, 'ignore-output') || isMarked(cell, 'skip')) return false;
  return cells === 'all' || isMarked(cell, 'check-output');
}

function isMarked(cell: CodeCell, mark: 'ignore-output' | 'check-output' | 'skip'): boolean {
  if (hasTag(cell, `nbval-${mark}`)) return true;
  const comment = `# NBVAL_${mark.replace('-', '_').toUpperCase()}`;
  return multiline(cell.source)
    .split('\n')
    .some((line) => line.trim() === comment);
}
