/** Thrown by a run that could not end the job, because its lab failed: it goes back to the queue. */
export class GiveBackError extends Error {
  override readonly name: string = 'GiveBackError';
}

/** The websocket to the kernel was cut, and what came meanwhile is lost; the lab lives, and is not to blame. */
export class ConnectionLostError extends GiveBackError {
  override readonly name = 'ConnectionLostError';
}

/** The executor is asked to stop: what runs goes back to the queue, and that costs it nothing. */
export class ExecutorStopsError extends GiveBackError {
  override readonly name = 'ExecutorStopsError';
}

/** Another executor may have the job by now: nothing may be written for it any more. */
export class JobLockLostError extends Error {
  override readonly name = 'JobLockLostError';
}

/** Ends the run of a job that its owner has cancelled. */
export class JobCancelledError extends Error {
  override readonly name = 'JobCancelledError';
}
