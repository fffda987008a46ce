import { EXIT } from './exit-code.ts';

/** What a wait ends with when the user has had enough. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** Whether that is why a wait has failed; Node's timers wrap the reason of a signal. */
export function isInterrupted(error: unknown): boolean {
  return error instanceof InterruptedError || (error as Error).cause instanceof InterruptedError;
}

/**
 * A signal that fires with Ctrl-C (or SIGTERM, as CI systems cancel), so that what runs can be ended; the second time the
 * command goes at once.
 */
export function untilInterrupted(): AbortSignal {
  const interrupted = new AbortController();
  const onSignal = () => {
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
    interrupted.abort(new InterruptedError('interrupted'));
  };
  // SIGHUP: the terminal was closed. EPIPE: nobody reads any more, as with `| head`.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  process.stdout.on('error', () => interrupted.abort(new InterruptedError('nobody reads')));
  return interrupted.signal;
}
