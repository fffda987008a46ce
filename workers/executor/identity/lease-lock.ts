import type { Redis } from 'ioredis';
import Redlock from 'redlock';
import { KEY_PREFIX } from '../../../lib/contract/nbexec-job.ts';

/** extended: it is ours for another TTL; refused: it is not ours any more; unanswered: nobody knows */
export type RenewalOutcome = 'extended' | 'refused' | 'unanswered';

/** The lock in Redis under a lease: redlock's three commands on one key, each sent once and no more. */
export class LeaseLock {
  readonly #redis: Redis;
  readonly #lock: Redlock.Lock;

  private constructor(redis: Redis, lock: Redlock.Lock) {
    this.#redis = redis;
    this.#lock = lock;
  }

  /** @returns undefined when it is taken, or Redis did not answer: both may change */
  static async take(redis: Redis, username: string, ttlMs: number): Promise<LeaseLock | undefined> {
    try {
      // Taking off what may have been taken all the same, when the answer was lost, is redlock's own.
      const lock = await redlockOn(redis).lock(`${KEY_PREFIX}:lease:${username}`, ttlMs);
      return new LeaseLock(redis, lock);
    } catch {
      return undefined;
    }
  }

  /** Never makes the lock anew, and never takes it off. */
  async extend(ttlMs: number): Promise<RenewalOutcome> {
    let answered = true;
    const redlock = renewalRedlock(this.#redis).on('clientError', () => (answered = false));
    try {
      await redlock.extend(this.#lock, ttlMs);
      return 'extended';
    } catch {
      return answered ? 'refused' : 'unanswered';
    }
  }

  /** Takes the lock off where it is ours. @throws when it is not, or Redis did not answer */
  async release(): Promise<void> {
    await this.#lock.unlock();
  }
}

function redlockOn(redis: Redis, options: Redlock.Options = {}): Redlock {
  // redlock's types know only ioredis 4; it calls eval and evalsha, which are the same in 6.
  const client = redis as unknown as Redlock.CompatibleRedisClient;
  const redlock = new Redlock([client], { retryCount: 0, driftFactor: 0.01, ...options });
  // An EventEmitter's error that nobody hears would be thrown.
  return redlock.on('clientError', () => undefined);
}

/**
 * redlock takes a lock off when extending it fails, be it that only the answer was late: then the identity would be
 * another's while this lease still counts on it until its deadline. So the one that renews can take nothing off.
 */
const renewalRedlock = (redis: Redis): Redlock => redlockOn(redis, { unlockScript: () => 'return #KEYS' });
