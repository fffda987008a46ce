/** Why a submission is not taken. */

/** Nothing more is taken from this caller until one of its jobs has ended. */
export class TooManyJobsError extends Error {
  override readonly name = 'TooManyJobsError';
  readonly retryAfterSeconds: number;

  constructor(maxJobs: number, retryAfterSeconds: number) {
    super(`The caller has ${maxJobs} unfinished jobs already`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Redis is so full that what runs may soon not be able to end: nothing more is taken from anybody. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** A notebook that runs in a lab of the service's own would submit notebooks, and those others. */
export class PoolBotError extends Error {
  override readonly name = 'PoolBotError';
}

/** The idempotency key stands for another submission. */
export class KeyReusedError extends Error {
  override readonly name = 'KeyReusedError';
}

/** The submission with this idempotency key is just being taken. */
export class KeyInUseError extends Error {
  override readonly name = 'KeyInUseError';
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('The submission with this idempotency key is being accepted');
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
