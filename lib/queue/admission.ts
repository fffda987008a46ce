import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { bullKey, bullKeys } from './bull-keys.ts';
import { PACE, secondsOf, type Pace } from './start-estimate.ts';

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

/** What is left above is for the results of the jobs that were admitted. */
const ADMITTED_MEMORY_SHARE = 0.8;
const MEMORY_KNOWN_MS = 1_000;

// Between its admission and its job a submission only writes its notebook.
const SUBMISSION_MS = 60_000;

/**
 * A caller's unfinished jobs are a set of their ids. It is put right whenever it is full, from the jobs themselves, so
 * that nobody has to take an ended job out of it, and what was lost on the way does not count for ever.
 */
const ADMIT = `${PACE}
local unfinished, completed, active = unpack(KEYS)
local id, now, max_jobs, prefix = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if redis.call('ZSCORE', unfinished, id) then return false end
if redis.call('ZCARD', unfinished) >= max_jobs then
  local known = redis.call('ZRANGE', unfinished, 0, -1, 'WITHSCORES')
  for n = 1, #known, 2 do
    local job = prefix .. known[n]
    local ended
    if redis.call('EXISTS', job) == 1 then ended = redis.call('HEXISTS', job, 'finishedOn') == 1
    else ended = now - known[n + 1] > ${SUBMISSION_MS} end
    if ended then redis.call('ZREM', unfinished, known[n]) end
  end
  if redis.call('ZCARD', unfinished) >= max_jobs then return pace(completed, active, prefix, 0) end
end
redis.call('ZADD', unfinished, now, id)
redis.call('EXPIRE', unfinished, ARGV[5])
return false`;

export interface AdmissionOptions {
  queueName: string;
  /** How many unfinished jobs a caller may have in this queue. */
  maxJobsPerCaller: number;
  /** How long a job may be unfinished. */
  ttlSeconds: number;
}

/** Decides, before anything is written, whether a submission is taken. */
export class Admission {
  readonly #redis: Redis;
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  #memory = { full: false, untilMs: -Infinity };

  constructor(redis: Redis, options: AdmissionOptions, now: () => number = () => performance.now()) {
    this.#redis = redis;
    this.#options = options;
    this.#now = now;
  }

  /**
   * Counts the job among its owner's, once, however often it is asked for; one that is then not added counts for a minute.
   *
   * @throws {QueueFullError} when Redis is nearly full
   * @throws {TooManyJobsError} when the owner has too many jobs that have not ended
   */
  async admit(jobId: string, owner: string): Promise<void> {
    if (await this.#isFull()) throw new QueueFullError('Redis is nearly full');
    const { queueName, maxJobsPerCaller, ttlSeconds } = this.#options;
    const keys = [unfinishedKey(queueName, owner), ...bullKeys(queueName, ['completed', 'active'])];
    const args = [jobId, Date.now(), maxJobsPerCaller, bullKey(queueName, ''), Math.ceil(ttlSeconds)];
    const refused = (await this.#redis.eval(ADMIT, keys.length, ...keys, ...args)) as Pace | null;
    if (refused) throw new TooManyJobsError(maxJobsPerCaller, secondsOf(refused));
  }

  async #isFull(): Promise<boolean> {
    if (this.#now() >= this.#memory.untilMs) {
      const full = isNearlyFull(await this.#redis.info('memory'));
      this.#memory = { full, untilMs: this.#now() + MEMORY_KNOWN_MS };
    }
    return this.#memory.full;
  }
}

/** @param info what Redis says in `INFO memory`; without a limit it is never full */
function isNearlyFull(info: string): boolean {
  const value = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const limit = value('maxmemory');
  return limit > 0 && value('used_memory') > limit * ADMITTED_MEMORY_SHARE;
}

/** Hashed, as a user's name may hold anything. */
export const unfinishedKey = (queueName: string, owner: string): string =>
  `${KEY_PREFIX}:unfinished:${queueName}:${createHash('sha256').update(owner).digest('hex').slice(0, 32)}`;
