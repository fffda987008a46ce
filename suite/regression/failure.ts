import type { Notebook } from '../../lib/contract/nbformat.ts';
import type { Failure } from '../report.ts';
import type { NotebookSource } from '../source/notebook-source.ts';
import { inSource } from '../verdict.ts';
import { compareOutputs } from './compare-outputs.ts';
import type { RegressionOptions } from './options.ts';

/** How a notebook fails whose outputs are not as they were; undefined when they are. Cells are those of the caller's file. */
export function regressionFailure(
  executed: Notebook,
  reference: Notebook,
  source: NotebookSource,
  options: RegressionOptions,
): Failure | undefined {
  const differences = compareOutputs(executed, reference, options).map(({ cell, diff }) => ({
    cell: inSource(cell, executed, source.notebook) ?? cell,
    diff,
  }));
  const [first] = differences;
  if (!first) return undefined;
  const than = options.against === 'committed' ? 'in the file' : 'of the last good run';
  const line = source.lineOf(first.cell);
  return {
    reason: 'regression',
    message: `${differences.length} ${differences.length === 1 ? 'cell puts' : 'cells put'} out other than ${than}`,
    place: { cell: first.cell, ...(line === undefined ? {} : { file_line: line }) },
    differences,
  };
}
