import { setTimeout as sleep } from 'node:timers/promises';
import { crashpoint } from '../../../lib/crashpoint.ts';
import { instant } from '../deadline.ts';
import { nextEpoch } from './fencing-epoch.ts';
import { IdentityLease, type LeaseParts } from './identity-lease.ts';
import type { Identity } from './identity-pool.ts';
import { LeaseLock } from './lease-lock.ts';

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
  for (let waiting = false; ; waiting = true) {
    // A random order: executors that start together do not all queue for the first identity.
    for (const identity of shuffled(identities)) {
      signal.throwIfAborted();
      const lease = await tryAcquire(identity, parts);
      if (lease) return lease;
    }
    if (!waiting) onWaiting();
    await pause(parts.timings.retryEveryMs, signal);
  }
}

/** One try, at one identity. @returns undefined when it is taken, or Redis did not answer */
export async function tryAcquire(identity: Identity, parts: LeaseParts): Promise<IdentityLease | undefined> {
  const { username } = identity;
  const sent = instant(parts.clocks);
  const lock = await LeaseLock.take(parts.redis, username, parts.timings.ttlMs);
  if (!lock) return undefined;
  try {
    await crashpoint('s1');
    const epoch = await nextEpoch(parts.redis, username);
    const log = parts.log.child({ identity: username, epoch });
    const lease = new IdentityLease(lock, identity, epoch, sent, { ...parts, log });
    // Asking took its time: by now the identity may be another's, with an epoch above this one.
    lease.assertHeld();
    return lease;
  } catch (error) {
    parts.log.warn({ err: error, identity: username }, 'not leased, lock given back');
    await lock.release().catch(() => undefined);
    return undefined;
  }
}

/** @throws the signal's own reason */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

function shuffled<T>(items: T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
