import type { Redis } from 'ioredis';
import Redlock from 'redlock';
import { KEY_PREFIX } from '../../../lib/contract/nbexec-job.ts';
import type { Logger } from '../../../lib/logger.ts';
import { nextEpoch } from './fencing-epoch.ts';
import type { Identity } from './identity-pool.ts';

/** The lease is no longer certain to be ours: nothing may be done under it any more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
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

interface Clocks {
  wallMs(): number;
  monotonicMs(): number;
}
const CLOCKS: Clocks = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/**
 * An executor's hold on a bot identity. redlock takes, renews and gives back the lock; whether it still holds is
 * decided here, by a local deadline: a lock that cannot be renewed is lost before Redis gives it to another.
 */
export class IdentityLease {
  readonly identity: Identity;
  /** Higher than that of every earlier holder of this identity. */
  readonly epoch: number;
  readonly #lock: Redlock.Lock;
  readonly #redis: Redis;
  readonly #timings: LeaseTimings;
  readonly #log: Logger;
  readonly #clocks: Clocks;
  readonly #lost = new AbortController();
  #released = false;
  #deadline: { wallMs: number; monotonicMs: number };
  #deadlineTimer: NodeJS.Timeout | undefined;
  readonly #renewTimer: NodeJS.Timeout;

  constructor(lock: Redlock.Lock, identity: Identity, epoch: number, sent: Sent, parts: LeaseParts) {
    this.identity = identity;
    this.epoch = epoch;
    this.#lock = lock;
    this.#redis = parts.redis;
    this.#timings = parts.timings;
    this.#log = parts.log;
    this.#clocks = parts.clocks ?? CLOCKS;
    this.#deadline = this.#deadlineFrom(sent);
    this.#armDeadline();
    this.#renewTimer = setInterval(() => void this.#renew(), parts.timings.renewEveryMs);
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
    if (this.#pastDeadline()) this.#evict('its deadline passed without a renewal');
    this.#lost.signal.throwIfAborted();
  }

  /** Gives the identity to whoever waits for it. The lab must be gone by then. */
  async release(): Promise<void> {
    this.#released = true;
    this.#stopTimers();
    if (this.#lost.signal.aborted) return;
    try {
      await this.#lock.unlock();
      this.#log.info('lease released');
    } catch (error) {
      this.#log.warn({ err: error }, 'lease not released: it runs out by itself');
    }
  }

  async #renew(): Promise<void> {
    const sent = sentNow(this.#clocks);
    let answered = true;
    const redlock = renewalRedlock(this.#redis).on('clientError', () => (answered = false));
    try {
      await redlock.extend(this.#lock, this.#timings.ttlMs);
      if (this.#released || this.#lost.signal.aborted) return;
      this.#deadline = this.#deadlineFrom(sent);
      this.#armDeadline();
    } catch (error) {
      if (this.#released) return;
      this.#log.warn({ err: error }, 'lease not renewed');
      if (answered) this.#evict('its lock has run out or is held by another');
      // Without an answer the deadline stands, and the next renewal may still come in time.
      else if (this.#pastDeadline()) this.#evict('it could not be renewed in time');
    }
  }

  #deadlineFrom(sent: Sent) {
    const holdMs = this.#timings.ttlMs - this.#timings.marginMs;
    return { wallMs: sent.wallMs + holdMs, monotonicMs: sent.monotonicMs + holdMs };
  }

  #pastDeadline(): boolean {
    // Either clock counts: the monotonic one stands still in a suspended machine, the other can be set.
    return (
      this.#clocks.wallMs() >= this.#deadline.wallMs ||
      this.#clocks.monotonicMs() >= this.#deadline.monotonicMs
    );
  }

  #armDeadline(): void {
    clearTimeout(this.#deadlineTimer);
    const leftMs = this.#deadline.monotonicMs - this.#clocks.monotonicMs();
    this.#deadlineTimer = setTimeout(() => {
      if (this.#pastDeadline()) this.#evict('its deadline passed without a renewal');
      else this.#armDeadline();
    }, leftMs);
  }

  #evict(why: string): void {
    if (this.#lost.signal.aborted) return;
    this.#stopTimers();
    this.#log.error({ why }, 'lease lost');
    this.#lost.abort(new LeaseLostError(`The lease on ${this.identity.username} is lost: ${why}`));
  }

  #stopTimers(): void {
    clearInterval(this.#renewTimer);
    clearTimeout(this.#deadlineTimer);
  }
}

interface Sent {
  wallMs: number;
  monotonicMs: number;
}
const sentNow = (clocks: Clocks): Sent => ({ wallMs: clocks.wallMs(), monotonicMs: clocks.monotonicMs() });

export interface LeaseParts {
  redis: Redis;
  timings: LeaseTimings;
  log: Logger;
  clocks?: Clocks;
}

/**
 * Leases one of the identities, waiting for one to come free for as long as it takes.
 *
 * @param signal ends the waiting
 * @param onWaiting told once when all identities are taken
 */
export async function acquireLease(
  identities: Identity[],
  parts: LeaseParts,
  signal: AbortSignal,
  onWaiting: () => void,
): Promise<IdentityLease> {
  const redlock = redlockOn(parts.redis);
  redlock.on('clientError', (error) => parts.log.debug({ err: error }, 'lease command'));
  for (let waiting = false; ; waiting = true) {
    // A random order: executors that start together do not all queue for the first identity.
    for (const identity of shuffled(identities)) {
      signal.throwIfAborted();
      const lease = await tryAcquire(redlock, identity, parts);
      if (lease) return lease;
    }
    if (!waiting) onWaiting();
    await pause(parts.timings.retryEveryMs, signal);
  }
}

function redlockOn(redis: Redis, options: Redlock.Options = {}): Redlock {
  // redlock's types know only ioredis 4; it calls eval and evalsha, which are the same in 6.
  const client = redis as unknown as Redlock.CompatibleRedisClient;
  return new Redlock([client], { retryCount: 0, driftFactor: 0.01, ...options });
}

/**
 * redlock takes a lock off when extending it fails, be it that only the answer was late: then the identity would be
 * another's while this lease still counts on it until its deadline. So the one that renews can take nothing off.
 */
const renewalRedlock = (redis: Redis): Redlock => redlockOn(redis, { unlockScript: () => 'return #KEYS' });

async function tryAcquire(
  redlock: Redlock,
  identity: Identity,
  parts: LeaseParts,
): Promise<IdentityLease | undefined> {
  const sent = sentNow(parts.clocks ?? CLOCKS);
  let lock: Redlock.Lock;
  try {
    lock = await redlock.lock(`${KEY_PREFIX}:lease:${identity.username}`, parts.timings.ttlMs);
  } catch {
    return undefined; // Taken, or Redis is away: both may change.
  }
  try {
    const epoch = await nextEpoch(parts.redis, identity.username);
    const log = parts.log.child({ identity: identity.username, epoch });
    return new IdentityLease(lock, identity, epoch, sent, { ...parts, log });
  } catch (error) {
    parts.log.warn({ err: error, identity: identity.username }, 'no fencing epoch, lock given back');
    await lock.unlock().catch(() => undefined);
    return undefined;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  await promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  });
}

function shuffled<T>(items: T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
