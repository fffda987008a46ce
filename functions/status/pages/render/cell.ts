/** One cell of a notebook as HTML. */
import { multiline, type Cell } from '../../../../lib/contract/nbformat.ts';
import { markup, NOTHING, type Html } from '../../../../lib/html/markup.ts';
import { durationText } from '../../../../lib/html/time.ts';
import { codeToHtml } from './code.ts';
import { markdownToHtml, type Attachments } from './markdown.ts';
import { outputsToHtml, type ShownOutput } from './outputs.ts';
import { rich } from './text.ts';

export interface ShownCell {
  cell: Cell;
  /** Counted from 0, as the API counts. */
  index: number;
  state?: CellState | undefined;
  /** How long it ran. */
  durationMs?: number | undefined;
  /** Of a code cell. */
  outputs: readonly ShownOutput[];
}

export type CellState = 'running' | 'done' | 'failed';

/** The fragment by which the failed cell is found. */
export const FAILED = 'failed';

/**
 * @param language that code cells are in
 * @param untilMs as of {@link outputsToHtml}
 */
export function cellToHtml(shown: ShownCell, language: string, untilMs: number): Html {
  const { cell, index, state, durationMs, outputs } = shown;
  const label = `Cell ${index}${state ? `, ${state}` : ''}`;
  const count = cell.cell_type === 'code' ? cell.execution_count : null;
  return markup`<article class="cell ${cell.cell_type} ${state}" id="cell-${index}" aria-label="${label}">
<header><a href="#cell-${index}">Cell ${index}</a>${count !== null && markup`<span>[${count}]</span>`}${stateToHtml(state)}${
    durationMs !== undefined && markup`<span class="duration">${durationText(durationMs)}</span>`
  }</header>
${contentToHtml(cell, language)}
${outputsToHtml(outputs, untilMs)}</article>
`;
}

function stateToHtml(state: CellState | undefined): Html {
  if (state === undefined) return NOTHING;
  return markup`<span class="state ${state}"${state === FAILED && markup` id="${FAILED}"`}>${state}</span>`;
}

function contentToHtml(cell: Cell, language: string): Html {
  const source = multiline(cell.source);
  switch (cell.cell_type) {
    case 'code':
      return codeToHtml(source, language);
    case 'markdown':
      return rich(markdownToHtml(source, attachmentsOf(cell)));
    case 'raw':
      return codeToHtml(source, 'plain');
  }
}

function attachmentsOf(cell: Cell): Attachments {
  const { attachments } = cell as { attachments?: unknown };
  return typeof attachments === 'object' && attachments !== null ? (attachments as Attachments) : {};
}
