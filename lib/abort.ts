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
  const fired = Promise.withResolvers<undefined>();
  const fire = () => fired.resolve(undefined);
  // Taken off by name: another controller for that would make an error, with its stack, each time.
  signal.addEventListener('abort', fire, { once: true });
  try {
    return await Promise.race([promise, fired.promise]);
  } finally {
    signal.removeEventListener('abort', fire);
  }
}
