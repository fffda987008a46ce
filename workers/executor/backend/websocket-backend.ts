import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import type { Notebook } from '../../../lib/contract/nbformat.ts';
import { crashpoint } from '../../../lib/crashpoint.ts';
import { GiveBackError, JobCancelledError } from '../jobs/errors.ts';
import type { HeldJob } from '../jobs/held-job.ts';
import { ProgressReport } from '../jobs/progress-report.ts';
import { UnknownKernelError } from '../kernel/kernel-error.ts';
import type { KernelPool } from '../kernel/kernel-pool.ts';
import { LiveKernel } from '../live-kernel.ts';
import { DEFAULT_OUTPUT_LIMITS, type OutputLimits } from '../notebook/output-budget.ts';
import { injectParameters } from '../notebook/parameters.ts';
import { runNotebook, type Progress } from '../notebook/run-notebook.ts';
import type { Backend, BackendRun } from './backend.ts';
import { RunClock } from './run-clock.ts';

// An `lsst` kernel's set-up can take a minute in a busy lab; a lab that takes longer is of no use.
const KERNEL_TIMEOUT_MS = 180_000;
// A kernel is started before its job is known. Which one it runs is written into its session's name beside the run, and
// not for the short ones, as the call would cost them more than it tells.
const NAME_AFTER_MS = 1_000;
const NAME_TIMEOUT_MS = 10_000;

type Pool = Pick<KernelPool, 'warm' | 'acquire' | 'release' | 'close'>;
type Kernel = Awaited<ReturnType<Pool['acquire']>>;

/** Runs notebooks in kernels of a pool, over websockets: several at once, each live and interruptible. */
export class WebsocketBackend implements Backend {
  /** Never: a kernel can be killed by itself. */
  readonly spent = new AbortController().signal;
  readonly #pool: Pool;
  readonly #outputLimits: OutputLimits;
  readonly #guard: () => void;
  readonly #releases = new Set<Promise<void>>();

  /** @param guard called before each cell; throws when the lease is over */
  constructor(pool: Pool, outputLimits = DEFAULT_OUTPUT_LIMITS, guard = () => {}) {
    this.#pool = pool;
    this.#outputLimits = outputLimits;
    this.#guard = guard;
  }

  warm(kernelName: string, signal: AbortSignal): Promise<void> {
    return this.#pool.warm(kernelName, signal);
  }

  async run(job: HeldJob, notebook: Notebook): Promise<BackendRun> {
    const kernel = await this.#acquire(job);
    const release = () => this.#release(kernel);
    try {
      await crashpoint('s5');
      const live = new LiveKernel(kernel, job.tell, this.#guard);
      const naming = setTimeout(() => void nameAfter(job, kernel), NAME_AFTER_MS);
      const end = await runIn(live, job, notebook, this.#outputLimits).finally(() => clearTimeout(naming));
      return { ...end, [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async ask(call: () => Promise<unknown>): Promise<void> {
    await call();
  }

  async vacated(): Promise<void> {
    await Promise.all(this.#releases);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Not waited for by whoever ran in it: the pool bounds the deletion. */
  #release(kernel: Kernel): void {
    const release = this.#pool.release(kernel).finally(() => this.#releases.delete(release));
    this.#releases.add(release);
  }

  async #acquire(job: HeldJob): Promise<Kernel> {
    try {
      const timeout = AbortSignal.timeout(KERNEL_TIMEOUT_MS);
      const signal = AbortSignal.any([job.signal, job.cancelled, timeout]);
      return await this.#pool.acquire(job.data.kernel_name, signal);
    } catch (error) {
      if (error instanceof JobCancelledError || error instanceof UnknownKernelError) throw error;
      job.signal.throwIfAborted();
      throw new GiveBackError('The lab gave no kernel', { cause: error });
    }
  }
}

/** Never rejects: a name is worth no trouble. */
async function nameAfter({ id, attemptId, log }: HeldJob, kernel: Kernel): Promise<void> {
  try {
    await kernel.nameAfter(`${id}/${attemptId}`, AbortSignal.timeout(NAME_TIMEOUT_MS));
  } catch (error) {
    log.debug({ err: error }, 'session not named after its job');
  }
}

async function runIn(live: LiveKernel, job: HeldJob, notebook: Notebook, outputLimits: OutputLimits) {
  const { parameters, cell_timeout_seconds: cellTimeout } = job.data;
  const { name } = live.languageInfo;
  const language = typeof name === 'string' ? name : 'python';
  const given = parameters ? injectParameters(notebook, parameters, language) : notebook;
  const progress = new ProgressReport(job.reportProgress);
  if (!job.data.enable_retry) await job.markFirstCellStarted();
  using clock = new RunClock(job);
  try {
    const result = await runNotebook({
      notebook: given,
      kernel: live,
      signal: clock.signal,
      ...(cellTimeout !== undefined && { cellTimeoutMs: cellTimeout * 1_000 }),
      outputLimits,
      // A job that may be run again is, rather than to have an incomplete notebook.
      lostOutput: job.data.enable_retry ? 'throw' : 'report',
      onProgress: (event) => {
        live.cellIndex = event.cell_index;
        progress.take(event);
        job.tell(cellEvent(event));
      },
    });
    return { ...result, progress: progress.latest };
  } finally {
    progress.close();
  }
}

/** The event without the outputs, which have been told of already. */
function cellEvent(event: Progress): LiveEvent {
  const { type, cell_index, cells_done, cells_total } = event;
  return { type, cell_index, cells_done, cells_total };
}
