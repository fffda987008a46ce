import { parseNotebook, type CodeCell, type Notebook } from '../../../lib/contract/nbformat.ts';
import { GiveBackError, JobCancelledError } from '../jobs/errors.ts';
import type { HeldJob } from '../jobs/held-job.ts';
import { KernelDiedError, UnknownKernelError } from '../kernel/kernel-error.ts';
import { NoSuchKernelError } from '../lab/errors.ts';
import {
  AnswerTooLargeError,
  isKernelDeath,
  mayStillRun,
  type RubinExecution,
  type RubinExecutionResult,
} from '../lab/rubin-execution.ts';
import { repairCellIds } from '../notebook/cell-ids.ts';
import { OutputLimitError } from '../notebook/output-budget.ts';
import { injectParameters } from '../notebook/parameters.ts';
import type { Backend, BackendRun } from './backend.ts';
import { eventsOf, executableCells, forNbclient, takeOver } from './executed-notebook.ts';
import { RunClock } from './run-clock.ts';

const SPECS_TIMEOUT_MS = 30_000;
const NO_CELL_TIMEOUT =
  'The cell_timeout was not applied: this lab runs notebooks in one go, and only the timeout of all holds';

type Execution = Pick<RubinExecution, 'kernelLanguages' | 'run'>;

/**
 * Runs notebooks by the lab's own handler, one at a time and each in one go. The lab answers nothing else meanwhile, so
 * nothing else is asked of it; and as nothing can interrupt it, a notebook that is given up costs the lab.
 */
export class ExtensionBackend implements Backend {
  readonly #execution: Execution;
  readonly #spent = new AbortController();
  readonly #asking = new Set<Promise<unknown>>();
  #busy = false;

  constructor(execution: Execution) {
    this.#execution = execution;
  }

  get spent(): AbortSignal {
    return this.#spent.signal;
  }

  /** The handler starts a kernel for each notebook. */
  async warm(): Promise<void> {}

  async ask(call: () => Promise<unknown>): Promise<void> {
    if (this.#busy) return;
    const asking = call();
    this.#asking.add(asking);
    await asking.finally(() => this.#asking.delete(asking));
  }

  async run(job: HeldJob, notebook: Notebook): Promise<BackendRun> {
    this.#busy = true;
    try {
      await Promise.allSettled(this.#asking);
      const languages = await this.#languages(job);
      const given = withParameters(job, notebook, languageOf(job, languages));
      repairCellIds(given);
      return await this.#run(job, given).catch((error: unknown) => {
        throw error instanceof NoSuchKernelError ? unknownKernel(job, languages) : error;
      });
    } finally {
      this.#busy = false;
    }
  }

  /** A run that ended has ended in the lab, too; otherwise the lab is spent. */
  async vacated(): Promise<void> {}

  async close(): Promise<void> {}

  async #languages(job: HeldJob): Promise<Languages> {
    const signal = AbortSignal.any([job.signal, job.cancelled, AbortSignal.timeout(SPECS_TIMEOUT_MS)]);
    return this.#execution.kernelLanguages(signal).catch((error: unknown) => {
      if (error instanceof JobCancelledError) throw error;
      job.signal.throwIfAborted();
      throw new GiveBackError('The lab did not tell its kernels', { cause: error });
    });
  }

  async #run(job: HeldJob, given: Notebook): Promise<BackendRun> {
    const total = executableCells(given).length;
    const progress = { cells_done: 0, cells_total: total };
    const warnings = job.data.cell_timeout_seconds === undefined ? [] : [NO_CELL_TIMEOUT];
    if (!job.data.enable_retry) await job.markFirstCellStarted();
    // All that is known until the end.
    job.reportProgress(progress);
    using clock = new RunClock(job);
    clock.signal.throwIfAborted();
    const result = await this.#post(job, given, clock.signal);
    if (result === undefined) {
      return { interrupted: { reason: clock.signal.reason }, warnings, progress, [Symbol.dispose]: nothing };
    }
    const { notebook, begun } = takeOver(given, parseNotebook(result.ipynb));
    for (const event of eventsOf(notebook, begun, total)) job.tell(event);
    return {
      notebook,
      ...endOf(result, notebook, begun.at(-1)),
      warnings,
      progress: { ...progress, cells_done: begun.length },
      [Symbol.dispose]: nothing,
    };
  }

  /** @returns undefined when the run was stopped */
  async #post(job: HeldJob, given: Notebook, signal: AbortSignal): Promise<RubinExecutionResult | undefined> {
    try {
      const ipynb = JSON.stringify(forNbclient(given));
      return await this.#execution.run(ipynb, job.data.kernel_name, signal);
    } catch (error) {
      if (signal.aborted || mayStillRun(error)) this.#spent.abort(error);
      job.signal.throwIfAborted();
      if (signal.aborted) return undefined;
      if (error instanceof NoSuchKernelError) throw error;
      if (error instanceof AnswerTooLargeError) throw new OutputLimitError(error.message, { cause: error });
      throw new GiveBackError('The lab did not run the notebook to its end', { cause: error });
    }
  }
}

const nothing = () => undefined;

/** By kernel name. */
type Languages = ReadonlyMap<string, string>;

/** @throws UnknownKernelError when the lab has no such kernel */
function languageOf(job: HeldJob, languages: Languages): string {
  const language = languages.get(job.data.kernel_name);
  if (language === undefined) throw unknownKernel(job, languages);
  return language;
}

/** The handler may find a kernel missing that the lab has listed. */
function unknownKernel({ data: { kernel_name: name } }: HeldJob, languages: Languages): UnknownKernelError {
  return new UnknownKernelError(
    name,
    [...languages.keys()].filter((listed) => listed !== name),
  );
}

function withParameters(job: HeldJob, notebook: Notebook, language: string): Notebook {
  const { parameters } = job.data;
  // A copy either way.
  return parameters
    ? injectParameters(notebook, parameters, language)
    : { ...notebook, cells: [...notebook.cells] };
}

function endOf(
  { error }: RubinExecutionResult,
  notebook: Notebook,
  cellIndex: number | undefined,
): Pick<BackendRun, 'error' | 'failure'> {
  if (!error) return {};
  if (isKernelDeath(error)) {
    const death = new KernelDiedError('the lab found its process gone');
    return { failure: { error: death, ...(cellIndex !== undefined && { cell_index: cellIndex }) } };
  }
  const shown = cellIndex === undefined ? [] : (notebook.cells[cellIndex] as CodeCell).outputs;
  const output = shown.findLast((output) => output.output_type === 'error');
  const traceback = output?.traceback ?? error.traceback.split('\n');
  return { error: { name: error.ename, message: error.evalue, traceback } };
}
