import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import type { JobProgress, NbexecJobData } from '../../../lib/contract/nbexec-job.ts';
import type { Logger } from '../../../lib/logger.ts';

/** A job that this executor holds, as whoever runs its notebook sees it. */
export interface HeldJob {
  readonly id: string;
  readonly data: NbexecJobData;
  /** Names this attempt and no other; the result body is kept under it. */
  readonly attemptId: string;
  readonly enqueuedAtMs: number;
  /** Aborted when the job must be left alone at once: its lock or the lease is lost, or the grace is over. */
  readonly signal: AbortSignal;
  /** Aborted when the job's owner cancels it: it is then to be ended soon, with what there is. */
  readonly cancelled: AbortSignal;
  readonly log: Logger;
  readonly reportProgress: (progress: JobProgress) => void;
  /**
   * Remembers, for a job that must not be rerun, that its notebook has begun.
   *
   * @throws {JobLockLostError} when it could not be remembered, as the job is another's: then nothing may begin
   */
  readonly markFirstCellStarted: () => Promise<void>;
  /** Tells those who watch the job what happens. */
  readonly tell: (event: LiveEvent) => void;
  /** From now on the job can be cancelled no more; may be called, beside the last writes, once the end is known. */
  readonly seal: () => Promise<unknown>;
}
