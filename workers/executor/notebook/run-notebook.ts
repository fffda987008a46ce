import { settledOrAborted } from '../../../lib/abort.ts';
import { hasTag, isExecutable } from '../../../lib/contract/cell-tags.ts';
import { multiline, type CodeCell, type Notebook, type Output } from '../../../lib/contract/nbformat.ts';
import type { ExecuteResult } from '../kernel/execute-result.ts';
import type { LostOutput } from '../kernel/execution.ts';
import { MessageTooLargeError } from '../kernel/kernel-error.ts';
import type { NotebookKernel } from '../kernel/leased-kernel.ts';
import { isObject, type KernelMessage } from '../kernel/messages.ts';
import { repairCellIds } from './cell-ids.ts';
import { NotebookOutputs } from './cell-outputs.ts';
import { interruptCell } from './interrupt-cell.ts';
import { OutputLimitError, type OutputLimits } from './output-budget.ts';
import { errorOutput } from './output-from-message.ts';

export type Progress =
  | { type: 'cell_started'; cell_index: number; cells_done: number; cells_total: number }
  | { type: 'cell_finished'; cell_index: number; cells_done: number; cells_total: number; outputs: Output[] };

export interface RunOptions {
  /** Left untouched; the result is a copy. */
  notebook: Notebook;
  kernel: NotebookKernel;
  /** Stops the run: interrupts the cell, gives it `interruptGraceMs` to end, then gives up. */
  signal: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** How long each cell may take; then the run is stopped as by the signal, with a CellTimeoutError as reason. */
  cellTimeoutMs?: number;
  /** In ms, default 5 s. */
  interruptGraceMs?: number;
  /** What is kept of the outputs; far beyond it the run is stopped. See docs/fidelity.md. */
  outputLimits?: OutputLimits;
  /** When output may be missing after the websocket was cut: to fail, as by default, or to go on with a warning. */
  lostOutput?: LostOutput;
}

/** Stops a run in which a cell takes too long. */
export class CellTimeoutError extends Error {
  override readonly name = 'CellTimeoutError';
}

export interface NotebookError {
  name: string;
  message: string;
  traceback: string[];
  cell_index: number;
}

/** With none of `error`, `interrupted` and `failure` the notebook ran to its end. */
export interface RunResult {
  /** Executed as far as it came, always valid nbformat of the version it had. */
  notebook: Notebook;
  /** The notebook's own exception, which stopped it. */
  error?: NotebookError;
  /** The signal fired, or a cell took too long: the reason, the cell that ran, and what the interrupt raised there, if it took effect. */
  interrupted?: { reason: unknown; cell_index: number; error?: NotebookError };
  /** A KernelError, mostly; an OutputLimitError when the run was stopped for its output. */
  failure?: { error: Error; cell_index: number };
  warnings: string[];
}

type CellEnd = Pick<RunResult, 'error' | 'interrupted' | 'failure'>;

/**
 * Runs a notebook's cells one after the other, with nbclient's semantics: empty cells and those tagged
 * `skip-execution` are left as they are, an exception stops the run unless its cell is tagged `raises-exception`, and
 * what comes after keeps the outputs it had.
 *
 * Never rejects for what a notebook or kernel does; the kernel should not be used again when it did not end well.
 */
export async function runNotebook(options: RunOptions): Promise<RunResult> {
  const notebook = copyOf(options.notebook);
  repairCellIds(notebook);
  const run = new NotebookRun(options, notebook);
  const languageInfo = options.kernel.languageInfo;
  if (Object.keys(languageInfo).length > 0) notebook.metadata['language_info'] = languageInfo;
  const end = await run.cells();
  const widgets = run.outputs.widgetsMetadata();
  if (widgets !== undefined) notebook.metadata['widgets'] = widgets;
  return { notebook, ...end, warnings: [...run.warnings, ...run.outputs.warnings] };
}

/** A copy of what a run changes; the rest, large outputs of an earlier run among it, is shared. */
function copyOf(notebook: Notebook): Notebook {
  const cells = notebook.cells.map((cell) => ({ ...cell, metadata: { ...cell.metadata } }));
  return { ...notebook, metadata: { ...notebook.metadata }, cells };
}

/**
 * `allow_errors` in the notebook's metadata, as papermill's and nbconvert's users set it, or where MyST and jupyter-cache
 * look for it; nbclient has it as an option of its caller's.
 */
export function allowsErrors({ metadata }: Notebook): boolean {
  const execution = metadata['execution'];
  return metadata['allow_errors'] === true || (isObject(execution) && execution['allow_errors'] === true);
}

class NotebookRun {
  readonly outputs: NotebookOutputs;
  readonly warnings: string[] = [];
  readonly #options: RunOptions;
  readonly #notebook: Notebook;
  readonly #allowsErrors: boolean;
  readonly #runaway = new AbortController();
  readonly #stop: AbortSignal;

  constructor(options: RunOptions, notebook: Notebook) {
    this.#options = options;
    this.#notebook = notebook;
    this.#allowsErrors = allowsErrors(notebook);
    this.#stop = AbortSignal.any([options.signal, this.#runaway.signal]);
    this.outputs = new NotebookOutputs(options.outputLimits);
  }

  async cells(): Promise<CellEnd> {
    const cells = this.#notebook.cells;
    const total = cells.filter(isExecutable).length;
    const started = new Map<number, CodeCell>();
    let done = 0;
    let end: CellEnd = {};
    for (const [index, cell] of cells.entries()) {
      if (!isExecutable(cell)) continue;
      if (this.#options.signal.aborted) {
        end = { interrupted: { reason: this.#options.signal.reason, cell_index: index } };
        break;
      }
      const progress = { cell_index: index, cells_total: total };
      this.#options.onProgress?.({ type: 'cell_started', ...progress, cells_done: done });
      started.set(index, cell);
      end = await this.#cell(cell, index);
      const { outputs } = this.outputs.cell(index);
      this.#options.onProgress?.({ type: 'cell_finished', ...progress, cells_done: ++done, outputs });
      if (end.error ?? end.interrupted ?? end.failure) break;
    }
    // Only now: a thread's late print or an update_display_data may have changed any cell until here.
    for (const [index, cell] of started) this.#write(cell, index);
    return end;
  }

  async #cell(cell: CodeCell, index: number): Promise<CellEnd> {
    const allowed = this.#allowsErrors || hasTag(cell, 'raises-exception');
    const giveUp = new AbortController();
    const begun = Promise.withResolvers<void>();
    const { signal: stop, timer } = this.#timed();
    const execution = this.#options.kernel.execute(multiline(cell.source), {
      onIopub: (message) => {
        if (message.header.msg_type === 'execute_input') begun.resolve();
        this.#onIopub(message, index);
      },
      signal: giveUp.signal,
      stop,
      stopOnError: !allowed,
      lostOutput: this.#options.lostOutput ?? 'throw',
    });
    execution.catch(() => undefined); // when given up, nobody waits for it any more
    let result: ExecuteResult | undefined;
    try {
      result = await settledOrAborted(execution, stop);
      clearTimeout(timer);
      const stopped = result === undefined;
      if (stopped) {
        result = await interruptCell({
          kernel: this.#options.kernel,
          execution,
          begun: begun.promise,
          graceMs: this.#options.interruptGraceMs ?? 5_000,
          onWarning: (warning) => this.warnings.push(warning),
        });
        giveUp.abort();
      }
      if (result !== undefined) this.#take(result, index, stopped);
      const error = result === undefined ? undefined : this.#error(result, index);
      if (stopped) return this.#stopped(stop.reason, index, error);
      return error === undefined || allowed ? {} : { error };
    } catch (error) {
      const failure = this.#failure(error as Error, index);
      if (!stop.aborted) return { failure: { error: failure, cell_index: index } };
      // Why it was stopped is how it ends, whatever became of the kernel then: some die of the interrupt.
      if (error !== stop.reason) {
        this.warnings.push(`Cell ${index}: the kernel was lost as it was interrupted: ${failure.message}`);
      }
      return this.#stopped(stop.reason, index);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops a cell as the run is stopped, and also when its own time is over. */
  #timed(): { signal: AbortSignal; timer: NodeJS.Timeout | undefined } {
    const { cellTimeoutMs } = this.#options;
    if (cellTimeoutMs === undefined) return { signal: this.#stop, timer: undefined };
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(new CellTimeoutError()), cellTimeoutMs);
    return { signal: AbortSignal.any([this.#stop, overdue.signal]), timer };
  }

  #onIopub(message: KernelMessage, index: number): void {
    this.outputs.apply(index, message);
    if (!this.outputs.isRunaway || this.#runaway.signal.aborted) return;
    const reason = 'The notebook was stopped, as its output went far beyond what is kept of it';
    this.#runaway.abort(new OutputLimitError(reason));
  }

  #stopped(reason: unknown, index: number, error?: NotebookError): CellEnd {
    if (reason instanceof OutputLimitError) return { failure: { error: reason, cell_index: index } };
    return { interrupted: { reason, cell_index: index, ...(error && { error }) } };
  }

  /** One message above what the socket takes is output, too, even though it closed the socket. */
  #failure(error: Error, index: number): Error {
    if (!(error instanceof MessageTooLargeError)) return error;
    this.outputs.noteCut(index);
    return new OutputLimitError('The notebook was stopped by one output that is too large', { cause: error });
  }

  #take(result: ExecuteResult, index: number, stopped: boolean): void {
    const record = this.outputs.cell(index);
    if (result.reply.execution_count !== undefined) record.executionCount = result.reply.execution_count;
    if (result.repliedAt !== undefined) record.timing['shell.execute_reply'] = result.repliedAt;
    // An interrupted cell may well have no reply, and how it ended is no question.
    if (result.missing !== undefined && !(stopped && result.missing === 'reply')) {
      this.warnings.push(`Cell ${index}: ${lossOf(result, result.missing)}`);
    }
    for (const comm of this.outputs.takeComms()) {
      if (this.#options.kernel.sendComm(comm)) continue;
      this.warnings.push(`Cell ${index}: an Output widget holds too much for the kernel to be told of it`);
    }
  }

  /** The cell's exception; shown in its outputs even where the lab's rate limits dropped the message. */
  #error(result: ExecuteResult, index: number): NotebookError | undefined {
    const { reply } = result;
    if (reply.status === 'ok') return undefined;
    const record = this.outputs.cell(index);
    const output =
      reply.status === 'aborted'
        ? errorOutput({ ename: 'Aborted', evalue: 'The kernel aborted the cell' })
        : errorOutput(reply);
    // Some exceptions are shown by no error message on purpose: IPython prints exception groups to stderr.
    const lost = record.dropped || result.missing !== undefined || reply.status === 'aborted';
    if (lost && !record.raised) this.outputs.addError(index, output);
    return { name: output.ename, message: output.evalue, traceback: output.traceback, cell_index: index };
  }

  #write(cell: CodeCell, index: number): void {
    const record = this.outputs.cell(index);
    cell.outputs = record.outputs;
    cell.execution_count = record.executionCount;
    cell.metadata['execution'] = record.timing;
  }
}

function lossOf({ reply }: ExecuteResult, missing: NonNullable<ExecuteResult['missing']>): string {
  switch (missing) {
    case 'idle':
      return 'the lab did not report its end; some of its output may be missing';
    case 'output':
      return 'the connection to the lab was cut; some of its output may be missing';
    case 'reply': {
      const end = reply.status === 'ok' ? 'ended well' : 'failed';
      return `the lab lost the kernel's reply; that it ${end} is told from its outputs alone`;
    }
  }
}
