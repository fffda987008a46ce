import {
  multiline,
  type Cell,
  type CodeCell,
  type Notebook,
  type Output,
} from '../../../lib/contract/nbformat.ts';
import type { ExecuteResult } from '../kernel/execute-result.ts';
import type { NotebookKernel } from '../kernel/leased-kernel.ts';
import { NotebookOutputs } from './cell-outputs.ts';
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
  /** In ms, default 5 s. */
  interruptGraceMs?: number;
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
  /** The signal fired: its reason, the cell that ran, and what the interrupt raised there, if it took effect. */
  interrupted?: { reason: unknown; cell_index: number; settled: boolean; error?: NotebookError };
  /** Not the notebook's doing: a KernelError, mostly. */
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
  const notebook = structuredClone(options.notebook);
  const run = new NotebookRun(options, notebook);
  const languageInfo = options.kernel.languageInfo;
  if (Object.keys(languageInfo).length > 0) notebook.metadata['language_info'] = languageInfo;
  const end = await run.cells();
  const widgets = run.outputs.widgetsMetadata();
  if (widgets !== undefined) notebook.metadata['widgets'] = widgets;
  return { notebook, ...end, warnings: [...run.warnings, ...run.outputs.warnings] };
}

/** Whether the cell is one that is sent to the kernel. */
function isExecutable(cell: Cell): cell is CodeCell {
  return cell.cell_type === 'code' && multiline(cell.source).trim() !== '' && !hasTag(cell, 'skip-execution');
}

class NotebookRun {
  readonly outputs = new NotebookOutputs();
  readonly warnings: string[] = [];
  readonly #options: RunOptions;
  readonly #notebook: Notebook;

  constructor(options: RunOptions, notebook: Notebook) {
    this.#options = options;
    this.#notebook = notebook;
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
        end = { interrupted: { reason: this.#options.signal.reason, cell_index: index, settled: true } };
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
    const { kernel, signal } = this.#options;
    const allowed = hasTag(cell, 'raises-exception');
    const giveUp = new AbortController();
    const execution = kernel.execute(multiline(cell.source), {
      onIopub: (message) => this.outputs.apply(index, message),
      signal: giveUp.signal,
      stopOnError: !allowed,
    });
    execution.catch(() => undefined); // when given up, nobody waits for it any more
    let result: ExecuteResult | undefined;
    try {
      result = await settledOrAborted(execution, signal);
      const interrupted = result === undefined;
      result ??= await this.#interrupt(execution, giveUp);
      if (result !== undefined) this.#take(result, index);
      const error = result === undefined ? undefined : this.#error(result, index);
      if (!interrupted) return error === undefined || allowed ? {} : { error };
      const settled = result !== undefined;
      return { interrupted: { reason: signal.reason, cell_index: index, settled, ...(error && { error }) } };
    } catch (error) {
      return { failure: { error: error as Error, cell_index: index } };
    }
  }

  /** Interrupts the kernel and waits for the cell's end; undefined when it does not come in time. */
  async #interrupt(
    execution: Promise<ExecuteResult>,
    giveUp: AbortController,
  ): Promise<ExecuteResult | undefined> {
    const grace = AbortSignal.timeout(this.#options.interruptGraceMs ?? 5_000);
    const interruption = this.#options.kernel.interrupt(grace).catch((error: unknown) => {
      this.warnings.push(`The kernel could not be interrupted: ${(error as Error).message}`);
    });
    const result = await settledOrAborted(execution, grace);
    await interruption;
    giveUp.abort();
    return result;
  }

  #take(result: ExecuteResult, index: number): void {
    const record = this.outputs.cell(index);
    if (result.reply.execution_count !== undefined) record.executionCount = result.reply.execution_count;
    if (result.repliedAt !== undefined) record.timing['shell.execute_reply'] = result.repliedAt;
    if (result.missing === 'idle') {
      this.warnings.push(`Cell ${index}: the lab did not report its end; some of its output may be missing`);
    }
    for (const comm of this.outputs.takeComms()) this.#options.kernel.sendComm(comm);
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
    const lost = record.dropped || result.missing === 'idle' || reply.status === 'aborted';
    if (lost && !record.raised) record.outputs.push(output);
    return { name: output.ename, message: output.evalue, traceback: output.traceback, cell_index: index };
  }

  #write(cell: CodeCell, index: number): void {
    const record = this.outputs.cell(index);
    cell.outputs = record.outputs;
    cell.execution_count = record.executionCount;
    cell.metadata['execution'] = record.timing;
  }
}

/** The promise's value, or undefined as soon as the signal fires. The promise's rejection passes. */
async function settledOrAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const stop = new AbortController();
  const aborted = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => aborted.resolve(undefined), { once: true, signal: stop.signal });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    stop.abort();
  }
}

function hasTag(cell: Cell, tag: string): boolean {
  const tags = cell.metadata['tags'];
  return Array.isArray(tags) && tags.includes(tag);
}
