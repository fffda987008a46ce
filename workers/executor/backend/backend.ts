import type { JobProgress } from '../../../lib/contract/nbexec-job.ts';
import type { Notebook } from '../../../lib/contract/nbformat.ts';
import type { HeldJob } from '../jobs/held-job.ts';

/** How a notebook's run ended. With none of `error`, `interrupted` and `failure` it ran to its end. */
export interface BackendRun extends Disposable {
  /** Executed as far as it came; absent when that is lost. */
  notebook?: Notebook;
  /** The notebook's own exception, which stopped it. */
  error?: { name: string; message: string; traceback: string[] };
  /** Why it was stopped, where that was, and what the interrupt raised there. */
  interrupted?: { reason: unknown; cell_index?: number; error?: { traceback: string[] } };
  /** What broke under it. */
  failure?: { error: Error; cell_index?: number };
  warnings: string[];
  progress?: JobProgress | undefined;
  /** To be disposed of when the result is safe: tidying up in the lab may take CPU from nobody who waits for it. */
  [Symbol.dispose](): void;
}

/** A way to run notebooks in one lab. */
export interface Backend {
  /** Aborted when the lab is of no more use, as a notebook goes on in it that nobody waits for. */
  readonly spent: AbortSignal;

  /** Does ahead what the first job would have to wait for. @throws UnknownKernelError, or why it cannot be done */
  warm(kernelName: string, signal: AbortSignal): Promise<void>;

  /**
   * Runs a job's notebook, with its parameters, within its timeouts; tells of it by the job's own means.
   *
   * @throws {GiveBackError} when the lab failed beneath the notebook; JobCancelledError, UnknownKernelError,
   * UnsupportedLanguageError, InvalidParameterError or OutputLimitError when the job ends without a notebook to show
   */
  run(job: HeldJob, notebook: Notebook): Promise<BackendRun>;

  /** Makes a call to the lab that no job needs; left out while the lab cannot answer. Rejects as the call does. */
  ask(call: () => Promise<unknown>): Promise<void>;

  /** Resolves when nothing goes on in the lab any more of runs that were disposed of; bounded in time, never rejects. */
  vacated(): Promise<void>;

  /** Deletes what is left of it in the lab; bounded in time, never rejects. */
  close(): Promise<void>;
}
