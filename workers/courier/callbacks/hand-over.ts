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
import type { CourierQueue } from '../courier-queue.ts';
import type { CourierMetrics } from '../metrics.ts';
import { Backoff } from './backoff.ts';

export interface HandOverParts {
  redis: Redis;
  queueName: string;
  queue: Pick<CourierQueue<'callback'>, 'add'>;
  apiUrl: string;
  /** How long it can be looked at what has become of a callback. */
  retentionSeconds: number;
  metrics: CourierMetrics;
  log: Logger;
}

const LOOK_EVERY_MS = 1_000;

/** Long enough for couriers of a newer release to come, whose jobs an older one cannot read. */
const UNREADABLE_MS = 60 * 60_000;

/** The stored job is none that this courier can make a message of. */
class UnreadableJobError extends Error {
  override readonly name = 'UnreadableJobError';
}

/**
 * Hands the ends of jobs with a callback over to the courier's queue until the signal is aborted. It finds them by
 * looking at the jobs themselves, so that whoever ends a job need know nothing of callbacks, and may die over it.
 * Never rejects: what could not be handed over is found again.
 */
export async function startHandingOver(parts: HandOverParts, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      await handOver(parts, backoff, signal);
    } catch (error) {
      if (!signal.aborted) parts.log.warn({ err: error }, 'ends of jobs not handed over');
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Hands over what there is now. */
async function handOver(parts: HandOverParts, backoff: Backoff, signal: AbortSignal): Promise<void> {
  const { redis, queueName, metrics, log } = parts;
  for (let from = 0, isLast = false; !isLast && !signal.aborted;) {
    const page = await readUntold(redis, queueName, from);
    from += page.unfinished;
    ({ isLast } = page);
    for (const id of page.gone) {
      metrics.untold.inc();
      log.error({ job_id: id }, 'job removed before its end was told');
      await forgetUntold(redis, queueName, id);
      backoff.forget(id);
    }
    for (const id of page.ended) {
      const isDone = backoff.isDue(id) && (await isHandedOver(parts, id, backoff, signal));
      // The others must not wait for it.
      if (!isDone) from += 1;
    }
  }
}

/** @returns whether nothing is left to do for this job: its end was handed over, or given up */
async function isHandedOver(
  parts: HandOverParts,
  id: string,
  backoff: Backoff,
  signal: AbortSignal,
): Promise<boolean> {
  const { redis, queueName, log } = parts;
  try {
    await handOverOne(parts, id);
  } catch (error) {
    if (signal.aborted) return false;
    log.warn({ err: error, job_id: id }, 'end of a job not handed over');
    const failingMs = backoff.failed(id);
    if (!(error instanceof UnreadableJobError) || failingMs < UNREADABLE_MS) return false;
    await giveUp(parts, id);
  }
  await forgetUntold(redis, queueName, id);
  backoff.forget(id);
  return true;
}

/** So that one job does not keep a courier alive for as long as it is stored. */
async function giveUp({ redis, retentionSeconds, metrics, log }: HandOverParts, id: string): Promise<void> {
  const record = { state: 'failed', attempts: 0, last_error: 'The job could not be read' } as const;
  await writeDelivery(redis, id, record, retentionSeconds);
  metrics.untold.inc();
  log.error({ job_id: id }, 'end of a job given up: the job cannot be read');
}

async function handOverOne(parts: HandOverParts, jobId: string): Promise<void> {
  const { redis, queue, apiUrl, retentionSeconds } = parts;
  const key = bullKey(queueNameOf(jobId), jobId);
  const [target, fields] = await Promise.all([readTarget(redis, jobId), redis.hgetall(key)]);
  if (!target) return;
  const { type, body } = messageOf(jobId, fields, apiUrl);
  if (!target.events.includes(type))
    return writeDelivery(redis, jobId, { state: 'skipped', attempts: 0 }, retentionSeconds);
  const data: CallbackJobData = { version: 1, job_id: jobId, type, body };
  await queue.add('callback', callbackJobId(jobId), data);
}

/**
 * The job as a GET shows it, without its notebooks and without how far this message has come.
 *
 * @param fields of the job, as BullMQ stores them
 * @throws {UnreadableJobError}
 */
function messageOf(
  jobId: string,
  fields: Record<string, string>,
  apiUrl: string,
): { type: CallbackEvent; body: string } {
  try {
    const job = snapshot(jobId, parsed(fields), 'completed');
    const type: CallbackEvent = `job.${endPhase(errorOfJob(job))}`;
    const { callback: _, ...data } = notebookResponse(job, apiUrl, true);
    return { type, body: JSON.stringify({ type, timestamp: data.finish_time, data }) };
  } catch (cause) {
    throw new UnreadableJobError('The job cannot be read', { cause });
  }
}
