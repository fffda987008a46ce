import { z } from 'zod';

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
