import type { Output } from '../../../lib/contract/nbformat.ts';
import type { CommMessage, JsonObject, KernelMessage } from '../kernel/messages.ts';
import { Displays } from './displays.ts';
import { OutputArea, type ErrorOutput } from './output-area.ts';
import { OutputBudget, type OutputLimits } from './output-budget.ts';
import { displayId, mimeBundle, outputFromMessage } from './output-from-message.ts';
import { WidgetState } from './widget-state.ts';

/** What one cell's iopub messages came to. */
export interface CellRecord {
  /** nbformat outputs; read it anew each time: clear_output replaces the list. */
  readonly outputs: Output[];
  /** As the kernel counts, from execute_input or execute_result; null before. */
  executionCount: number | null;
  /** Names and times (ISO 8601, the kernel's clock) as nbclient writes them into `metadata.execution`. */
  readonly timing: Record<string, string>;
  /** An `error` message came, wherever it was shown. */
  raised: boolean;
  /** The lab said that it dropped messages of this cell, so an `error` may be among them. */
  dropped: boolean;
}

class CellState implements CellRecord {
  readonly area: OutputArea;
  executionCount: number | null = null;
  readonly timing: Record<string, string> = {};
  raised = false;
  dropped = false;

  constructor(budget: OutputBudget) {
    this.area = new OutputArea(budget);
  }

  get outputs(): Output[] {
    return this.area.outputs;
  }
}

/**
 * Reduces iopub messages to the outputs of a notebook's cells. Knows no sockets and no time; the whole notebook is one
 * state, because `update_display_data` changes outputs of earlier cells and widgets live across cells.
 *
 * Constant work for each message, however many came before.
 */
export class NotebookOutputs {
  readonly #cells = new Map<number, CellState>();
  readonly #budget: OutputBudget;
  readonly #displays: Displays;
  readonly #widgets: WidgetState;
  readonly #warnings = new Set<string>();

  constructor(limits?: OutputLimits) {
    this.#budget = new OutputBudget(limits);
    this.#displays = new Displays(this.#budget);
    this.#widgets = new WidgetState(this.#budget);
  }

  /** The record of a cell, empty before its first message. */
  cell(index: number): CellRecord {
    return this.#cell(index);
  }

  /** What the reader should know besides the outputs, each once. */
  get warnings(): string[] {
    return this.#budget.wasCut ? [...this.#warnings, this.#budget.warning()] : [...this.#warnings];
  }

  /** Whether so much had to be left out that the run should end. */
  get isRunaway(): boolean {
    return this.#budget.isRunaway;
  }

  /** Says in a cell's outputs that some are missing, for a reason that no message tells. */
  noteCut(index: number): void {
    this.#budget.cut(0);
    this.#cell(index).area.notice();
  }

  /** Shows in a cell an error that no message told of. */
  addError(index: number, error: ErrorOutput): void {
    this.#cell(index).area.append(error);
  }

  /** Takes in one iopub message whose parent is (the execute_request of) this cell. */
  apply(index: number, message: KernelMessage): void {
    const cell = this.#cell(index);
    const { content, header } = message;
    const type = header.msg_type;
    const count = content['execution_count'];
    if (Number.isInteger(count)) cell.executionCount = count as number;
    switch (type) {
      case 'status':
        noteTime(cell, `iopub.status.${String(content['execution_state'])}`, header.date);
        return;
      case 'execute_input':
        noteTime(cell, 'iopub.execute_input', header.date);
        return;
      case 'update_display_data':
        this.#update(cell, message);
        return;
      case 'clear_output': {
        const wait = content['wait'] === true;
        if (!this.#widgets.captureClear(message.parent_header.msg_id, wait)) cell.area.clear(wait);
        return;
      }
      case 'comm_open':
      case 'comm_msg':
      case 'comm_close':
        if (!this.#widgets.onComm(message)) cell.area.notice();
        return;
      default:
        this.#show(cell, message);
    }
  }

  /** Comm messages the kernel has to be told; call it when a cell is done. */
  takeComms(): CommMessage[] {
    return this.#widgets.takeComms();
  }

  /** `metadata.widgets`, or undefined where there are no widgets. */
  widgetsMetadata(): JsonObject | undefined {
    return this.#widgets.toMetadata();
  }

  #show(cell: CellState, message: KernelMessage): void {
    const output = outputFromMessage(message);
    if (output === undefined) return;
    if (output.output_type === 'error') cell.raised = true;
    if (output.output_type === 'stream' && output.name === 'stderr') {
      this.#noteRateLimit(cell, output.text as string);
    }
    const captured = this.#widgets.capture(message.parent_header.msg_id, output);
    // First, so that what goes anyway is not updated.
    if (!captured) cell.area.clearIfDue();
    const id = 'data' in output ? this.#update(cell, message) : undefined;
    if (captured) return;
    if (id !== undefined && 'data' in output) cell.area.append(output, this.#displays.of(id, output));
    else cell.area.append(output);
  }

  /** Updates what is shown under the message's display_id; returns that. */
  #update(cell: CellState, message: KernelMessage): string | undefined {
    const id = displayId(message);
    if (id !== undefined && !this.#displays.update(id, mimeBundle(message.content))) cell.area.notice();
    return id;
  }

  /** jupyter_server drops what exceeds its rate limits, an `error` included, and leaves this notice on stderr instead. */
  #noteRateLimit(cell: CellState, text: string): void {
    const notice = text.length < 4_000 ? /^\s*(IOPub (?:data|message) rate exceeded)/.exec(text) : null;
    if (notice === null) return;
    cell.dropped = true;
    this.#warnings.add(`${notice[1]}: the lab dropped some of the notebook's output`);
  }

  #cell(index: number): CellState {
    let cell = this.#cells.get(index);
    if (cell === undefined) {
      cell = new CellState(this.#budget);
      this.#cells.set(index, cell);
    }
    return cell;
  }
}

/** nbclient notes these four and no others. The first busy and the last idle count; a late thread's have none. */
function noteTime(cell: CellState, name: string, date: unknown): void {
  const known =
    name === 'iopub.status.busy' || name === 'iopub.status.idle' || name === 'iopub.execute_input';
  if (known && typeof date === 'string') cell.timing[name] = date;
}
