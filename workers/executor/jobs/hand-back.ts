import type { Redis } from 'ioredis';
import type { Logger } from '../../../lib/logger.ts';
import { cancelJob, cancelledAmong } from '../../../lib/queue/verdict.ts';
import { afterLoss, rerunDelayMs } from './attempts.ts';
import { ExecutorStopsError, GiveBackError, JobLockLostError } from './errors.ts';
import type { JobQueue, TakenJob } from './job-queue.ts';

export interface HandBackParts {
  queueName: string;
  redis: Redis;
  queue: JobQueue;
  /** How long a job that lost its lab for the second time waits; twice as long for each time more. */
  firstBackoffMs: number;
  /** Told before a job goes back because the lab failed it, so that the lab can be looked at first. */
  onTrouble: (error: unknown) => Promise<void>;
}

const CANCEL_TTL_SECONDS = 86_400;

/**
 * Puts a job that was not ended back, where it is still ours to put; otherwise it is found as stalled. Never rejects.
 *
 * @param why an ExecutorStopsError costs the job nothing, a JobLockLostError leaves it alone
 * @param assertOurs throws when lock or lease are lost
 */
export async function handBack(
  taken: TakenJob,
  why: unknown,
  parts: HandBackParts,
  assertOurs: () => void,
  log: Logger,
): Promise<void> {
  if (why instanceof JobLockLostError) return log.error({ err: why }, 'job left to another executor');
  log[why instanceof GiveBackError ? 'warn' : 'error']({ err: why }, 'job given back');
  try {
    assertOurs();
    if (why instanceof ExecutorStopsError) await parts.queue.giveBack(taken);
    else await handBackSpent(taken, why, parts, assertOurs);
  } catch (error) {
    return log.warn({ err: error }, 'job not given back: it will be recovered as stalled');
  }
  await endIfCancelled(taken.job.id, parts, log);
}

async function handBackSpent(
  taken: TakenJob,
  why: unknown,
  { queue, onTrouble, firstBackoffMs }: HandBackParts,
  assertOurs: () => void,
): Promise<void> {
  await onTrouble(why);
  assertOurs();
  const { stalledCounter } = taken.job;
  const data = afterLoss(taken.job, why);
  await queue.giveBackLater(taken, data, rerunDelayMs({ data, stalledCounter }, firstBackoffMs));
}

/** A job that went back to the queue may have nobody who would end it there. */
async function endIfCancelled(id: string, { redis, queueName }: HandBackParts, log: Logger): Promise<void> {
  try {
    const [cancelled] = await cancelledAmong(redis, [id]);
    if (cancelled) await cancelJob(redis, queueName, id, CANCEL_TTL_SECONDS);
  } catch (error) {
    log.warn({ err: error }, 'cancelled job not ended: its next executor will do it');
  }
}
