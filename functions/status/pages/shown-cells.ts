/** The cells of a job's notebook as they are to be shown: executed, or as far as is known while it runs. */
import { INJECTED_TAG, withInjected } from '../../../lib/contract/cell-tags.ts';
import type { Cell, CodeCell, Notebook } from '../../../lib/contract/nbformat.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';
import type { ShownCell } from './render/cell.ts';

/** Of an executed notebook. */
export function executedCells({ cells }: Notebook, job: JobSnapshot): ShownCell[] {
  const failed = failedCell(cells, job);
  return cells.map((cell, index) => {
    if (cell.cell_type !== 'code') return { cell, index, outputs: [] };
    const durationMs = durationOf(cell);
    const state = index === failed ? 'failed' : durationMs === undefined ? undefined : 'done';
    return { cell, index, state, durationMs, outputs: cell.outputs.map((output) => ({ output })) };
  });
}

/** The cell whose exception or end was the notebook's; errors that were allowed come before it. */
function failedCell(cells: readonly Cell[], { outcome }: JobSnapshot): number | undefined {
  if (outcome?.error) return outcome.error.cell_index;
  if (!outcome?.ipynb_error) return undefined;
  const raised = (cell: Cell) =>
    cell.cell_type === 'code' && cell.outputs.some(({ output_type }) => output_type === 'error');
  return cells.findLastIndex(raised);
}

/** From `metadata.execution`, as Jupyter's clients write it: when the kernel began with the cell, and its reply. */
function durationOf({ metadata }: CodeCell): number | undefined {
  const execution = (metadata['execution'] ?? {}) as Record<string, unknown>;
  const begin = Date.parse(String(execution['iopub.status.busy'] ?? execution['iopub.execute_input']));
  const end = Date.parse(String(execution['shell.execute_reply'] ?? execution['iopub.status.idle']));
  return end >= begin ? end - begin : undefined;
}

/** The submitted notebook as it runs: its parameters take a place among the cells. */
export function withParameters(notebook: Notebook, parameters: JobSnapshot['data']['parameters']): Notebook {
  if (!parameters) return notebook;
  const lines = Object.entries(parameters).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`);
  const source = `# Parameters\n${lines.join('')}`;
  const metadata = { tags: [INJECTED_TAG] };
  const cell = { cell_type: 'code' as const, metadata, source, outputs: [], execution_count: null };
  return { ...notebook, cells: withInjected(notebook.cells, cell) };
}
