/** What a handler throws of a job that could not be done. Messages are shown to callers; causes are for the log. */

/** It may be done later. */
export class RetryLaterError extends Error {
  override readonly name = 'RetryLaterError';
  /** How long the other side wants to be left alone. */
  readonly afterMs: number | undefined;

  constructor(
    message: string,
    { afterMs, ...options }: ErrorOptions & { afterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.afterMs = afterMs;
  }
}

/** Trying again would be of no use. */
export class GivenUpError extends Error {
  override readonly name = 'GivenUpError';
}
