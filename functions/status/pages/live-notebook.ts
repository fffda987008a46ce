/** A notebook that runs, as far as its events tell. */
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { multiline, type Notebook, type Output } from '../../../lib/contract/nbformat.ts';
import type { StoredEvent } from '../../../lib/queue/live-events.ts';
import type { ShownCell } from './render/cell.ts';
import type { ShownOutput } from './render/outputs.ts';

type OutputEvent = Extract<LiveEvent, { type: 'output' }>;

interface LiveOutput extends ShownOutput {
  displayId: string | undefined;
}

interface LiveCell {
  outputs: LiveOutput[];
  /** The outputs go with the next one. */
  isToBeCleared: boolean;
  beganAtMs: number;
  endedAtMs?: number;
}

/** Executors tell of what happened together so often: what was shorter is not known. */
const TOLD_EVERY_MS = 250;

/** @param notebook as it runs: with its parameters injected */
export function liveCells(notebook: Notebook, events: readonly StoredEvent[]): ShownCell[] {
  const begun = liveCellsOf(events);
  return notebook.cells.map((cell, index) => {
    const live = begun.get(index);
    if (!live) return { cell: withoutCount(cell), index, outputs: [] };
    const { outputs, beganAtMs, endedAtMs } = live;
    const ranMs = (endedAtMs ?? beganAtMs) - beganAtMs;
    const durationMs = ranMs >= TOLD_EVERY_MS ? ranMs : undefined;
    return {
      cell: withoutCount(cell),
      index,
      state: endedAtMs === undefined ? 'running' : 'done',
      durationMs,
      outputs,
    };
  });
}

/** What an earlier run has left in the submitted notebook is of no interest. */
const withoutCount = (cell: Notebook['cells'][number]) =>
  cell.cell_type === 'code' ? { ...cell, execution_count: null } : cell;

function liveCellsOf(events: readonly StoredEvent[]): Map<number, LiveCell> {
  const cells = new Map<number, LiveCell>();
  const cellOf = (index: number, atMs: number): LiveCell => {
    const cell = cells.get(index) ?? { outputs: [], isToBeCleared: false, beganAtMs: atMs };
    cells.set(index, cell);
    return cell;
  };
  for (const { id, event } of events) {
    // Redis names entries by the time.
    const atMs = Number(id.split('-')[0]);
    if (event.type === 'job_started') cells.clear();
    if (event.type === 'cell_started')
      cells.set(event.cell_index, { outputs: [], isToBeCleared: false, beganAtMs: atMs });
    if (event.type === 'cell_finished') cellOf(event.cell_index, atMs).endedAtMs = atMs;
    if (event.type === 'output') show(event, cellOf(event.cell_index, atMs), cells);
    if (event.type === 'outputs_cleared') {
      const cell = cellOf(event.cell_index, atMs);
      if (event.wait) cell.isToBeCleared = true;
      else cell.outputs = [];
    }
  }
  return cells;
}

function show(event: OutputEvent, cell: LiveCell, cells: Map<number, LiveCell>): void {
  const output = event.output as unknown as Output;
  const shown = { output, truncated: event.truncated, displayId: event.display_id };
  if (event.update) {
    for (const { outputs } of cells.values()) {
      for (const [place, { displayId }] of outputs.entries()) {
        if (displayId !== undefined && displayId === shown.displayId) outputs[place] = shown;
      }
    }
    return;
  }
  if (cell.isToBeCleared) {
    cell.outputs = [];
    cell.isToBeCleared = false;
  }
  const last = cell.outputs.at(-1);
  if (
    output.output_type === 'stream' &&
    last?.output.output_type === 'stream' &&
    last.output.name === output.name
  ) {
    const text = multiline(last.output.text) + multiline(output.text);
    last.output = { ...output, text };
    last.truncated ||= event.truncated;
  } else cell.outputs.push(shown);
}
