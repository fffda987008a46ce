/**
 * A cancel and a job's end can come at the same time; whichever is written to the job's verdict first holds. An
 * executor seals the end that it is about to commit, unless the job has been cancelled; a cancel is refused once the
 * executor that holds the job's lock has sealed its end. A seal of an executor that lost the lock means nothing.
 */
import type { Redis } from 'ioredis';
import { CANCEL_CHANNEL, eventsKey, verdictKey } from '../contract/job-keys.ts';
import type { NbexecOutcome } from '../contract/nbexec-job.ts';
import { errorOf } from '../contract/execution-error.ts';
import { bullKey, bullKeys } from './bull-keys.ts';
import { END_WAITING, endWaitingArgs } from './end-waiting.ts';

/** The verdict on a job that is to end as cancelled. */
export const CANCELLED = 'cancelled';

/** How a job ends that was cancelled. */
export const cancelledOutcome = (cellIndex?: number): NbexecOutcome => ({
  error: errorOf('cancelled', 'The job was cancelled', cellIndex),
});

const SEAL = `
if redis.call('GET', KEYS[1]) == '${CANCELLED}' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1`;

// Only an executor that never comes back makes it matter how long a seal is kept.
const SEAL_TTL_SECONDS = 3_600;

/** @returns whether the end may be committed; otherwise the job must end as cancelled */
export async function sealEnd(redis: Redis, jobId: string, attemptId: string): Promise<boolean> {
  return (await redis.eval(SEAL, 1, verdictKey(jobId), attemptId, SEAL_TTL_SECONDS)) === 1;
}

/** Which of these jobs are cancelled. */
export async function cancelledAmong(redis: Redis, jobIds: readonly string[]): Promise<string[]> {
  if (jobIds.length === 0) return [];
  const verdicts = await redis.mget(...jobIds.map(verdictKey));
  return jobIds.filter((_, n) => verdicts[n] === CANCELLED);
}

/** A job that waits is taken off BullMQ's lists and ended at once. */
const CANCEL = `${END_WAITING}
local job, id, now = KEYS[1], ARGV[1], ARGV[2]
if redis.call('EXISTS', job) == 0 or redis.call('HEXISTS', job, 'finishedOn') == 1 then return 'ended' end
local taken = redis.call('LREM', KEYS[3], 0, id) + redis.call('LREM', KEYS[4], 0, id)
  + redis.call('ZREM', KEYS[5], id) + redis.call('ZREM', KEYS[6], id)
if taken > 0 then
  end_waiting(id, now, job, KEYS[7], KEYS[8], KEYS[9], ARGV[3], ARGV[4])
  return 'ended'
end
local verdict = redis.call('GET', KEYS[2])
if verdict and verdict ~= '${CANCELLED}' and verdict == redis.call('GET', KEYS[10]) then return 'ending' end
redis.call('SET', KEYS[2], '${CANCELLED}', 'EX', ARGV[5])
redis.call('PUBLISH', ARGV[6], id)
return 'cancelling'`;

/** `ended`: now or before. `ending`: too late, its end is being committed. `cancelling`: its executor was told. */
export type CancelAnswer = 'ended' | 'ending' | 'cancelling';

/**
 * Cancels a job; asking again changes nothing.
 *
 * @param ttlSeconds how long the cancel is remembered: until the job's executor must have noticed
 */
export async function cancelJob(
  redis: Redis,
  queueName: string,
  jobId: string,
  ttlSeconds: number,
): Promise<CancelAnswer> {
  const keys = [
    bullKey(queueName, jobId),
    verdictKey(jobId),
    ...bullKeys(queueName, ['wait', 'paused', 'prioritized', 'delayed', 'completed', 'events']),
    eventsKey(jobId),
    bullKey(queueName, `${jobId}:lock`),
  ];
  return (await redis.eval(
    CANCEL,
    keys.length,
    ...keys,
    jobId,
    Date.now(),
    ...endWaitingArgs(cancelledOutcome()),
    Math.ceil(ttlSeconds),
    CANCEL_CHANNEL,
  )) as CancelAnswer;
}

/** Whether a job that has not ended is cancelled. */
export async function isCancelled(redis: Redis, jobId: string): Promise<boolean> {
  return (await redis.get(verdictKey(jobId))) === CANCELLED;
}
