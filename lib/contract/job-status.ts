import { z } from 'zod';
import type { ExecutionError } from './execution-error.ts';

/** v1's states; v1 clients treat them as a closed set. */
export const jobStatus = z.enum(['queued', 'in_progress', 'complete', 'deferred', 'not_found']);
export type JobStatus = z.infer<typeof jobStatus>;

/** What the job is doing, more exactly than `status` says. */
export const jobPhase = z.enum([
  'queued',
  'leasing',
  'running',
  'cancelling',
  'completed',
  'aborted',
  'failed',
]);
export type JobPhase = z.infer<typeof jobPhase>;

/** The phase of a job that has ended, with an error or without. */
export function endPhase(error: ExecutionError | undefined): 'completed' | 'aborted' | 'failed' {
  if (!error) return 'completed';
  return error.reason === 'cancelled' ? 'aborted' : 'failed';
}
