import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { CallbackEvent } from '../../../lib/contract/callback.ts';
import { callbackJobId, type CallbackJobData } from '../../../lib/contract/courier-job.ts';
import { endPhase } from '../../../lib/contract/job-status.ts';
import { queueNameOf } from '../../../lib/contract/nbexec-job.ts';
import { errorOfJob, notebookResponse } from '../../../lib/http/notebook-response.ts';
import type { Logger } from '../../../lib/logger.ts';
import { bullKey } from '../../../lib/queue/bull-keys.ts';
import { forgetUntold, readTarget, readUntold, writeDelivery } from '../../../lib/queue/callbacks.ts';
import { parsed, snapshot } from '../../../lib/queue/job-snapshot.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';
import type { CourierQueue } from '../courier-queue.ts';
import type { CourierMetrics } from '../metrics.ts';

export interface HandOverParts {
  redis: Redis;
  queueName: string;
  queue: Pick<CourierQueue, 'add'>;
  apiUrl: string;
  /** How long it can be looked at what has become of a callback. */
  retentionSeconds: number;
  metrics: CourierMetrics;
  log: Logger;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Hands the ends of jobs with a callback over to the courier's queue until the signal is aborted. It finds them by
 * looking at the jobs themselves, so that whoever ends a job need know nothing of callbacks, and may die over it.
 * Never rejects: what could not be handed over is found again.
 */
export async function startHandingOver(parts: HandOverParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await handOver(parts, signal);
    } catch (error) {
      if (!signal.aborted) parts.log.warn({ err: error }, 'ends of jobs not handed over');
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Hands over what there is now. */
async function handOver(parts: HandOverParts, signal: AbortSignal): Promise<void> {
  const { redis, queueName, metrics, log } = parts;
  for (let from = 0, isLast = false; !isLast && !signal.aborted;) {
    const page = await readUntold(redis, queueName, from);
    from += page.unfinished;
    ({ isLast } = page);
    for (const id of page.gone) {
      metrics.untold.inc();
      log.error({ job_id: id }, 'job removed before its end was told');
      await forgetUntold(redis, queueName, id);
    }
    for (const id of page.ended) {
      try {
        await handOverOne(parts, id);
        await forgetUntold(redis, queueName, id);
      } catch (error) {
        // The others must not wait for it.
        if (!signal.aborted) log.warn({ err: error, job_id: id }, 'end of a job not handed over');
        from += 1;
      }
    }
  }
}

async function handOverOne(parts: HandOverParts, jobId: string): Promise<void> {
  const { redis, queue, apiUrl, retentionSeconds } = parts;
  const [target, job] = await Promise.all([readTarget(redis, jobId), endedJob(redis, jobId)]);
  if (!target) return;
  const type: CallbackEvent = `job.${endPhase(errorOfJob(job))}`;
  if (!target.events.includes(type))
    return writeDelivery(redis, jobId, { state: 'skipped', attempts: 0 }, retentionSeconds);
  const data: CallbackJobData = { version: 1, job_id: jobId, type, body: message(type, job, apiUrl) };
  await queue.add('callback', callbackJobId(jobId), data);
}

async function endedJob(redis: Redis, jobId: string): Promise<JobSnapshot> {
  const fields = await redis.hgetall(bullKey(queueNameOf(jobId), jobId));
  return snapshot(jobId, parsed(fields), 'completed');
}

/** The job as a GET shows it, without its notebooks and without how far this message has come. */
function message(type: CallbackEvent, job: JobSnapshot, apiUrl: string): string {
  const { callback: _, ...data } = notebookResponse(job, apiUrl, true);
  return JSON.stringify({ type, timestamp: data.finish_time, data });
}
