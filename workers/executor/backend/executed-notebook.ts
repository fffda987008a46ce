import { isDeepStrictEqual } from 'node:util';
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { multiline, type CodeCell, type Notebook, type Output } from '../../../lib/contract/nbformat.ts';
import { isExecutable } from '../../../lib/contract/cell-tags.ts';
import { allowsErrors } from '../notebook/run-notebook.ts';

const MAY_RAISE_TAG = 'raises-exception';

/** What nbclient finds out of a notebook by itself; that any of its cells may raise, it has to be told cell by cell. */
export function forNbclient(notebook: Notebook): Notebook {
  if (!allowsErrors(notebook)) return notebook;
  const cells = notebook.cells.map((cell) => {
    const { tags } = cell.metadata;
    return {
      ...cell,
      metadata: { ...cell.metadata, tags: [...(Array.isArray(tags) ? tags : []), MAY_RAISE_TAG] },
    };
  });
  return { ...notebook, cells };
}

/** Indices of the cells that are sent to the kernel. */
export function executableCells({ cells }: Notebook): number[] {
  return cells.flatMap((cell, index) => (isExecutable(cell) ? [index] : []));
}

/**
 * Takes over into a notebook what the lab's answer has for the cells that it began, and leaves the rest as it was sent.
 * A cell was begun when its timings are new: those of an earlier run may have been sent with it.
 *
 * @returns a copy, and the indices of these cells
 */
export function takeOver(sent: Notebook, answer: Notebook): { notebook: Notebook; begun: number[] } {
  const begun: number[] = [];
  const cells = [...sent.cells];
  for (const index of executableCells(sent)) {
    const old = sent.cells[index] as CodeCell;
    const cell = answer.cells[index] as CodeCell | undefined;
    const execution = cell?.metadata['execution'];
    if (!cell || isDeepStrictEqual(execution, old.metadata['execution'])) continue;
    begun.push(index);
    const outputs = cell.outputs.map(rejoined);
    const metadata = { ...old.metadata, execution };
    cells[index] = { ...old, outputs, metadata, execution_count: cell.execution_count };
  }
  return { notebook: { ...sent, metadata: answer.metadata, cells }, begun };
}

/** What watchers would have seen of these cells. */
export function* eventsOf(notebook: Notebook, begun: readonly number[], total: number): Generator<LiveEvent> {
  for (const [done, index] of begun.entries()) {
    const progress = { cell_index: index, cells_total: total };
    yield { type: 'cell_started', ...progress, cells_done: done };
    for (const output of (notebook.cells[index] as CodeCell).outputs) {
      yield { type: 'output', cell_index: index, output };
    }
    yield { type: 'cell_finished', ...progress, cells_done: done + 1 };
  }
}

/** Files keep texts as lists of lines; other outputs of ours have them as they are. */
function rejoined(output: Output): Output {
  if (output.output_type === 'stream') return { ...output, text: multiline(output.text) };
  if (!('data' in output)) return output;
  const data = Object.entries(output.data).map(([mime, value]) => [
    mime,
    isLines(mime, value) ? value.join('') : value,
  ]);
  return { ...output, data: Object.fromEntries(data) as Record<string, unknown> };
}

const isLines = (mime: string, value: unknown): value is string[] =>
  !/^application\/(.*\+)?json$/.test(mime) &&
  Array.isArray(value) &&
  value.every((line) => typeof line === 'string');
