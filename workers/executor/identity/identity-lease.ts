import type { Redis } from 'ioredis';
import type { Logger } from '../../../lib/logger.ts';
import { Deadline, instant, type Clocks, type Instant } from '../deadline.ts';
import { nextEpoch } from './fencing-epoch.ts';
import type { Identity } from './identity-pool.ts';
import type { LeaseLock, RenewalOutcome } from './lease-lock.ts';

/**
 * Why a lease is over before it was released: its deadline has passed; Redis says that it is another's; somebody with a
 * newer epoch was seen in the lab; hub or lab do not take the token that was minted under it.
 */
export type EvictionCause = 'deadline' | 'refused' | 'newer_epoch' | 'token_refused';

/** The lease is no longer certain to be ours: nothing may be done under it any more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  readonly reason: EvictionCause;

  constructor(message: string, reason: EvictionCause) {
    super(message);
    this.reason = reason;
  }
}

export interface LeaseTimings {
  /** How long Redis keeps the lock of a holder that has died. */
  ttlMs: number;
  renewEveryMs: number;
  /** How long before the TTL the holder stops, for clocks and commands under way. */
  marginMs: number;
  /** How long to wait before asking again when every identity is taken. */
  retryEveryMs: number;
}

/** All timings follow from the TTL: 30 s gives a renewal every 5 s and a stop 5 s before the end. */
export function leaseTimings(ttlMs: number): LeaseTimings {
  return { ttlMs, renewEveryMs: ttlMs / 6, marginMs: ttlMs / 6, retryEveryMs: Math.min(1_000, ttlMs / 6) };
}

export interface LeaseParts {
  redis: Redis;
  timings: LeaseTimings;
  log: Logger;
  /** Told of each renewal, to be counted. */
  onRenewal: (outcome: RenewalOutcome) => void;
  clocks?: Clocks;
}

/**
 * An executor's hold on a bot identity. redlock takes, renews and gives back the lock; whether it still holds is
 * decided here, by a local deadline: a lock that cannot be renewed is lost before Redis gives it to another.
 */
export class IdentityLease {
  readonly identity: Identity;
  readonly #lock: LeaseLock;
  readonly #parts: LeaseParts;
  readonly #lost = new AbortController();
  readonly #deadline: Deadline;
  readonly #renewTimer: NodeJS.Timeout;
  #epoch: number;
  #released = false;

  /** @param sent when the command that took the lock was sent */
  constructor(lock: LeaseLock, identity: Identity, epoch: number, sent: Instant, parts: LeaseParts) {
    const { ttlMs, marginMs, renewEveryMs } = parts.timings;
    this.identity = identity;
    this.#lock = lock;
    this.#parts = parts;
    this.#epoch = epoch;
    const passed = () => this.evict('deadline', 'its deadline passed without a renewal');
    this.#deadline = new Deadline(ttlMs - marginMs, sent, passed, parts.clocks);
    this.#renewTimer = setInterval(() => void this.#renew(), renewEveryMs);
  }

  /** Higher than that of every earlier holder of this identity. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Aborted, with a {@link LeaseLostError}, as soon as the lease can no longer be relied on. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * To be called before every effect outside this process. A process that was stopped for a while must not act on
   * a lease that ran out meanwhile, before its timers have had their turn.
   *
   * @throws {LeaseLostError}
   */
  assertHeld(): void {
    if (!this.#released) void this.#deadline.passed;
    this.#lost.signal.throwIfAborted();
  }

  /**
   * Takes a higher epoch when one that is not lower than ours was seen in what an earlier holder left. To be called
   * before the epoch is used for anything.
   */
  async raiseEpochAbove(seen: number): Promise<void> {
    if (seen < this.#epoch) return;
    this.assertHeld();
    this.#epoch = await nextEpoch(this.#parts.redis, this.identity.username, seen + 1);
    this.#parts.log.warn(
      { seen, epoch: this.#epoch },
      'took a higher epoch than one that was left in the lab',
    );
  }

  /** Ends the lease at once: whatever is done under it stops, and {@link assertHeld} throws from now on. */
  evict(reason: EvictionCause, why: string): void {
    if (this.#lost.signal.aborted || this.#released) return;
    this.#stopTimers();
    this.#parts.log.error({ reason, why }, 'lease lost');
    this.#lost.abort(new LeaseLostError(`The lease on ${this.identity.username} is lost: ${why}`, reason));
  }

  /**
   * Gives the identity to whoever waits for it. The lab must be gone by then, or the next holder be left to stop it.
   *
   * @returns false when it is not ours to give: then it runs out by itself
   */
  async release(): Promise<boolean> {
    this.#released = true;
    this.#stopTimers();
    // A deadline lies before the TTL for the sake of what was under way when it passed: the lock stays until the TTL.
    const lost = this.#lost.signal.reason as LeaseLostError | undefined;
    if (lost && lost.reason !== 'token_refused') return false;
    try {
      await this.#lock.release();
      this.#parts.log.info('lease released');
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'lease not released: it runs out by itself');
    }
    return true;
  }

  async #renew(): Promise<void> {
    if (this.#deadline.passed) return;
    const sent = instant(this.#parts.clocks);
    const outcome = await this.#lock.extend(this.#parts.timings.ttlMs);
    if (this.#released || this.#lost.signal.aborted) return;
    this.#parts.onRenewal(outcome);
    if (outcome === 'extended') return this.#deadline.extendFrom(sent);
    this.#parts.log.warn({ outcome }, 'lease not renewed');
    // Without an answer the deadline stands, and the next renewal may still come in time.
    if (outcome === 'refused') this.evict('refused', 'its lock has run out or is held by another');
  }

  #stopTimers(): void {
    clearInterval(this.#renewTimer);
    this.#deadline.close();
  }
}
