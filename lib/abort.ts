/** The longest that a timer can count, `AbortSignal.timeout` included. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves as soon as the signal fires, at once if it has. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The promise's value, or undefined as soon as the signal fires. The promise's rejection passes. */
export async function settledOrAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const stop = new AbortController();
  const fired = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => fired.resolve(undefined), { once: true, signal: stop.signal });
  try {
    return await Promise.race([promise, fired.promise]);
  } finally {
    stop.abort();
  }
}
