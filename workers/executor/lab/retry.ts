import { setTimeout as sleep } from 'node:timers/promises';
import { JupyterResponseError, JupyterUnreachableError } from './errors.ts';

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** no new attempt is begun later than this after the first */
  readonly withinMs?: number;
  /** pause after the first failure; doubled each time, with up to half of it taken off at random */
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  readonly onRetry?: (error: Error, pauseMs: number) => void;
}

/**
 * Repeats a call while the hub is throttling, restarting or out of reach.
 *
 * Retry-After is honoured, however long our own pause would have been; if it leads past the time allowed, the error
 * comes at once instead of after a useless wait.
 */
export async function retrying<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, withinMs = 60_000, firstPauseMs = 250, longestPauseMs = 10_000 } = options;
  const end = performance.now() + withinMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const asked = error instanceof JupyterResponseError ? error.retryAfterMs : undefined;
      const waitMs = Math.max(asked ?? 0, pauseMs * (1 - Math.random() / 2));
      if (performance.now() + waitMs > end) throw error;
      options.onRetry?.(error, waitMs);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

export function isTransient(error: unknown): error is JupyterResponseError | JupyterUnreachableError {
  return (
    error instanceof JupyterUnreachableError || (error instanceof JupyterResponseError && error.transient)
  );
}
