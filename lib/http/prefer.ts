/** `Prefer: wait=N` of RFC 7240: how long a caller would like to wait for the job's end. */
import type { JobSnapshot, NbexecQueue } from '../queue/nbexec-queue.ts';
import type { JobWatch, Watcher } from '../queue/job-watch.ts';
import type { ApiRequest } from './handler.ts';

/** Proxies in front cut at 50 s. */
export const MAX_WAIT_SECONDS = 25;

const LOOK_AGAIN_MS = 500;

/** @returns the seconds to wait, at most {@link MAX_WAIT_SECONDS}; undefined when the caller does not ask for it */
export function preferredWait(headers: ApiRequest['headers']): number | undefined {
  // Node joins several headers of the name with commas.
  const preferences = String(headers['prefer'] ?? '').split(',');
  for (const preference of preferences) {
    const seconds = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;|$)/i.exec(preference)?.[1];
    // The first one counts, and none is refused: a preference may always be passed over.
    if (seconds !== undefined) return Math.min(Number(seconds), MAX_WAIT_SECONDS);
  }
  return undefined;
}

export const preferenceApplied = (waitSeconds: number): Record<string, string> => ({
  'Preference-Applied': `wait=${waitSeconds}`,
});

/** A wait for a job's end that has been asked for and can be granted. */
export class EndWait implements Disposable {
  readonly waitSeconds: number;
  readonly #watcher: Watcher;
  readonly #signal: AbortSignal;
  readonly #deadlineMs: number;

  private constructor(waitSeconds: number, watcher: Watcher, signal: AbortSignal) {
    this.waitSeconds = waitSeconds;
    this.#watcher = watcher;
    this.#signal = signal;
    this.#deadlineMs = performance.now() + waitSeconds * 1_000;
  }

  /** @returns undefined when the caller does not wish to wait, or when too many wait already */
  static begin(request: ApiRequest, watch: Pick<JobWatch, 'watch'>, jobId: string): EndWait | undefined {
    const seconds = preferredWait(request.headers);
    const watcher = seconds === undefined ? undefined : watch.watch(jobId);
    return seconds === undefined || !watcher ? undefined : new EndWait(seconds, watcher, request.signal);
  }

  /** Whether a job that is made from now on can end unnoticed no more. */
  get isSubscribed(): boolean {
    return this.#watcher.isSubscribed;
  }

  /**
   * Returns the job as it is at its end, or when the time is over or the caller has gone.
   *
   * @param look whether to look at the job first: it may have ended before this was subscribed to it
   */
  async ended(
    queue: Pick<NbexecQueue, 'find'>,
    jobId: string,
    look = true,
  ): Promise<JobSnapshot | undefined> {
    if (look) await this.#watcher.subscribed(this.#leftMs, this.#signal);
    for (let looking = look; ; looking = true) {
      const job = looking ? await this.#find(queue, jobId) : undefined;
      if (looking && (!job || job.state === 'ended')) return job;
      let woken;
      do woken = await this.#watcher.woken(this.#leftMs, this.#signal);
      while (woken === 'more');
      if (woken !== 'end') return queue.find(jobId);
    }
  }

  /** A look that fails is repeated while there is time: Redis may be back for the watch before it is for this. */
  async #find(queue: Pick<NbexecQueue, 'find'>, jobId: string): Promise<JobSnapshot | undefined> {
    for (;;) {
      try {
        return await queue.find(jobId);
      } catch (error) {
        const woken = await this.#watcher.woken(Math.min(LOOK_AGAIN_MS, this.#leftMs), this.#signal);
        if (this.#leftMs === 0 || this.#signal.aborted || woken === 'closed') throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#watcher[Symbol.dispose]();
  }

  get #leftMs(): number {
    return Math.max(0, this.#deadlineMs - performance.now());
  }
}
