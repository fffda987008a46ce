import type { JobSnapshot } from '../queue/nbexec-queue.ts';

const MAX_RUNNING_SECONDS = 10;

/** When it is worth to look at a job again that has not ended: after its start, then in a quarter of its run so far. */
export function retryAfter(job: JobSnapshot): Record<string, string> {
  if (job.state === 'ended') return {};
  const ranSeconds = job.state === 'active' ? (Date.now() - (job.startedAtMs ?? Date.now())) / 1_000 : 0;
  const seconds = Math.min(Math.max(Math.ceil(ranSeconds / 4), 1), MAX_RUNNING_SECONDS);
  return { 'Retry-After': String(job.startsInSeconds ?? seconds) };
}
