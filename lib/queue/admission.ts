import type { Redis } from 'ioredis';
import { POOL_BOTS_KEY, verdictKey } from '../contract/job-keys.ts';
import { queueNameOf } from '../contract/nbexec-job.ts';
import { ADMIT } from './admit-script.ts';
import { bullKey, bullKeys } from './bull-keys.ts';
import { idempotencyKey, inflightKey, unfinishedKey } from './owner-keys.ts';
import { replicated } from './redis.ts';
import { secondsOf, type Pace } from './start-estimate.ts';
import {
  KeyInUseError,
  KeyReusedError,
  PoolBotError,
  QueueFullError,
  TooManyJobsError,
} from './submission-errors.ts';
import type { KeyWrite } from './write-script.ts';

/** What is left above is for the results of the jobs that were admitted. */
const ADMITTED_MEMORY_SHARE = 0.8;
const MEMORY_KNOWN_MS = 1_000;

/** How long an idempotency key stands for its job at least. */
const IDEMPOTENCY_SECONDS = 86_400;

export interface AdmissionOptions {
  /** How many unfinished jobs a caller may have in a queue. */
  maxJobsPerCaller: number;
  /** How long a job may be unfinished. */
  ttlSeconds: number;
}

/** What a caller asks for, and under which id it becomes a job. */
export interface Submission {
  /** It names the queue. */
  jobId: string;
  owner: string;
  /** Of all that decides how the run goes. */
  fingerprint: string;
  /** Whether an unfinished job of the owner's with this fingerprint will do. */
  coalesce?: boolean;
  /** The caller's key, and the fingerprint of the whole request that it stands for. */
  idempotency?: { key: string; fingerprint: string } | undefined;
}

export interface Admitted {
  /** The submission's, or that of an earlier one which it completes or is answered with. */
  jobId: string;
  /** Whether there is nothing to add, as the job exists. */
  exists: boolean;
  /** To be run in the transaction that adds the job. */
  confirm: KeyWrite[];
}

type Answer =
  | ['admitted' | 'exists', jobId: string]
  | ['too_many', Pace]
  | ['key_in_use', leftMs: number]
  | ['pool_bot' | 'key_reused'];

type AdmittingRedis = Redis & {
  admitSubmission: (keys: number, ...args: (string | number)[]) => Promise<Answer>;
};

/** Decides, before anything is written, whether a submission is taken, and as which job. */
export class Admission {
  readonly #redis: AdmittingRedis;
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  #memory = { full: false, untilMs: -Infinity };

  constructor(redis: Redis, options: AdmissionOptions, now: () => number = () => performance.now()) {
    // So that the script's text is sent once on each connection.
    redis.defineCommand('admitSubmission', { lua: ADMIT });
    this.#redis = redis as AdmittingRedis;
    this.#options = options;
    this.#now = now;
  }

  /**
   * Counts the job among its owner's, once, however often it is asked for; one that is then not added counts for a minute.
   *
   * @throws {QueueFullError} when Redis is nearly full
   * @throws {TooManyJobsError} when the owner has too many jobs that have not ended
   * @throws {PoolBotError} when the owner is a user whose lab runs notebooks
   * @throws {KeyReusedError} {@link KeyInUseError} because of the idempotency key
   */
  async admit(submission: Submission): Promise<Admitted> {
    if (await this.#isFull()) throw new QueueFullError('Redis is nearly full');
    const { jobId, owner, fingerprint, coalesce = false, idempotency } = submission;
    const { maxJobsPerCaller } = this.#options;
    const queueName = queueNameOf(jobId);
    const ttlSeconds = Math.ceil(this.#options.ttlSeconds);
    const record = idempotency && idempotencyKey(owner, idempotency.key);
    const keys = [
      unfinishedKey(queueName, owner),
      ...bullKeys(queueName, ['completed', 'active']),
      POOL_BOTS_KEY,
      inflightKey(queueName, owner, fingerprint),
      ...(record === undefined ? [] : [record]),
    ];
    const of = [jobId, Date.now(), maxJobsPerCaller, bullKey(queueName, ''), ttlSeconds];
    const by = [owner, verdictKey(''), coalesce ? '1' : '0'];
    const once = [idempotency?.fingerprint ?? '', Math.max(ttlSeconds, IDEMPOTENCY_SECONDS)];
    const answer = await replicated(this.#redis, () =>
      this.#redis.admitSubmission(keys.length, ...keys, ...of, ...by, ...once),
    );
    const admittedId = this.#idOf(answer);
    const confirm: KeyWrite[] =
      record === undefined ? [] : [{ command: 'HDEL', key: record, args: ['claimed_at'] }];
    return { jobId: admittedId, exists: answer[0] === 'exists', confirm };
  }

  #idOf(answer: Answer): string {
    switch (answer[0]) {
      case 'too_many':
        throw new TooManyJobsError(this.#options.maxJobsPerCaller, secondsOf(answer[1]));
      case 'pool_bot':
        throw new PoolBotError('Notebooks that run here may not submit notebooks');
      case 'key_reused':
        throw new KeyReusedError('The idempotency key was used for another submission');
      case 'key_in_use':
        throw new KeyInUseError(Math.ceil(answer[1] / 1_000));
      default:
        return answer[1];
    }
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
