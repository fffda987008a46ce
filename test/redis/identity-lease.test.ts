import type { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { leaseRedis, untilReady } from '../../lib/queue/redis.ts';
import { nextEpoch } from '../../workers/executor/identity/fencing-epoch.ts';
import { acquireLease } from '../../workers/executor/identity/acquire-lease.ts';
import {
  LeaseLostError,
  leaseTimings,
  type IdentityLease,
  type LeaseParts,
} from '../../workers/executor/identity/identity-lease.ts';
import { capturedLog } from '../support/log.ts';
import { redisOfFile } from '../support/redis.ts';
import { TestRedisServer } from '../support/redis-server.ts';

const file = await redisOfFile();
const TTL_MS = 600;
const never = new AbortController().signal;
let stack: AsyncDisposableStack;
let username: string;
let lines: string[];

beforeEach(() => {
  stack = new AsyncDisposableStack();
  username = `bot-${randomBytes(6).toString('hex')}`;
});
afterEach(() => stack.disposeAsync());

const lockKey = () => `${KEY_PREFIX}:lease:${username}`;
const epochKey = () => `${KEY_PREFIX}:epoch:${username}`;

/** What one executor has: a client of its own. */
async function executor(url = file.url, rest: Partial<LeaseParts> = {}): Promise<LeaseParts> {
  const redis = leaseRedis(url);
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  await untilReady(redis, 5_000);
  const captured = capturedLog();
  lines = captured.lines;
  return { redis, timings: leaseTimings(TTL_MS), log: captured.log, onRenewal: () => undefined, ...rest };
}

async function acquire(parts: LeaseParts, names = [username], signal = never): Promise<IdentityLease> {
  const lease = await acquireLease(
    names.map((name) => ({ username: name })),
    parts,
    signal,
    () => undefined,
  );
  stack.defer(async () => void (await lease.release()));
  return lease;
}

/** An acquisition under way that has been told that it must wait. */
async function waiting(parts: LeaseParts, signal = never) {
  const told = Promise.withResolvers<void>();
  const onWaiting = vi.fn<() => void>(() => told.resolve());
  const lease = acquireLease([{ username }], parts, signal, onWaiting);
  void lease.then((held) => stack.defer(async () => void (await held.release()))).catch(() => undefined);
  await told.promise;
  return { lease, onWaiting };
}

const lost = (lease: IdentityLease, timeoutMs = 2_000) =>
  vi.waitUntil(() => lease.lost.aborted, { timeout: timeoutMs, interval: 2 });

/** Waits until the lock has been renewed so often, as Redis sees it. */
async function renewals(redis: Redis, count: number): Promise<void> {
  const seen = new Set<number>();
  await vi.waitUntil(async () => seen.add(await redis.pexpiretime(lockKey())).size > count, {
    timeout: 5_000,
    interval: 2,
  });
}

describe('a lease', () => {
  test('is held by one executor, for longer than its TTL', async () => {
    const lease = await acquire(await executor());
    const other = await waiting(await executor());
    await renewals(file.redis, 8);
    expect(() => lease.assertHeld()).not.toThrow();
    expect(other.onWaiting).toHaveBeenCalledTimes(1);
    await lease.release();
    await expect(other.lease).resolves.toMatchObject({ identity: { username } });
  });

  test('goes to the one who waits as soon as it is released', async () => {
    const lease = await acquire(await executor());
    const { lease: next } = await waiting(await executor());
    const begun = performance.now();
    await lease.release();
    expect((await next).epoch).toBeGreaterThan(lease.epoch);
    expect(performance.now() - begun).toBeLessThan(TTL_MS / 2);
  });

  test('goes to the one who waits within the TTL when its holder dies', async () => {
    const parts = await executor();
    const lease = await acquire(parts);
    const { lease: next } = await waiting(await executor());
    const begun = performance.now();
    parts.redis.disconnect();
    expect((await next).epoch).toBeGreaterThan(lease.epoch);
    expect(performance.now() - begun).toBeLessThan(TTL_MS + leaseTimings(TTL_MS).retryEveryMs + 200);
    // The dead one knew before: its deadline comes before the TTL.
    expect(lease.lost.reason).toBeInstanceOf(LeaseLostError);
  });

  test('is on another identity where one is free', async () => {
    const names = ['a', 'b', 'c'].map((suffix) => `${username}${suffix}`);
    const leases = await Promise.all(names.map(async () => acquire(await executor(), names)));
    expect(leases.map(({ identity }) => identity.username).toSorted()).toEqual(names);
  });

  test('is no longer waited for when the executor is to stop', async () => {
    await acquire(await executor());
    const stop = new AbortController();
    const { lease } = await waiting(await executor(), stop.signal);
    stop.abort(new Error('SIGTERM'));
    await expect(lease).rejects.toThrow('SIGTERM');
  });

  test('that was released leaves nothing behind, and is not reported as lost', async () => {
    const lease = await acquire(await executor());
    await lease.release();
    expect(await file.redis.exists(lockKey())).toBe(0);
    expect(lease.lost.aborted).toBe(false);
    expect(lines.filter((line) => line.includes('lease lost'))).toEqual([]);
  });

  test('that is released while a renewal is under way is not reported as lost later', async () => {
    const parts = await executor(file.url, { timings: { ...leaseTimings(TTL_MS), renewEveryMs: 40 } });
    const evalsha = vi.spyOn(parts.redis, 'evalsha');
    const own = lines;
    const lease = await acquire(parts);
    evalsha.mockClear();
    await vi.waitUntil(() => evalsha.mock.calls.length > 0, { timeout: 2_000, interval: 0 });
    await lease.release();
    // Past the deadline of a renewal that would have been taken for one: as long as another lease may last.
    const clock = await acquire(await executor(), [`${username}-clock`]);
    await renewalsOf(clock, 8);
    expect(lease.lost.aborted).toBe(false);
    expect(own.filter((line) => line.includes('lease lost'))).toEqual([]);
  });
});

/** Waits for some renewals of this lease. */
async function renewalsOf(lease: IdentityLease, count: number): Promise<void> {
  const key = `${KEY_PREFIX}:lease:${lease.identity.username}`;
  const seen = new Set<number>();
  await vi.waitUntil(async () => seen.add(await file.redis.pexpiretime(key)).size > count, {
    timeout: 5_000,
    interval: 2,
  });
}

describe('a lease that is given up at once', () => {
  test.each([
    ['token_refused', 0],
    ['newer_epoch', 1],
  ] as const)('because of %s holds no more; its lock stays: %i', async (reason, locks) => {
    const lease = await acquire(await executor());
    lease.evict(reason, 'somebody says so');
    expect(() => lease.assertHeld()).toThrow('is lost: somebody says so');
    expect(lease.lost.reason).toMatchObject({ name: 'LeaseLostError', reason });
    await expect(lease.release()).resolves.toBe(locks === 0);
    expect(await file.redis.exists(lockKey())).toBe(locks);
  });

  test('keeps its first cause', async () => {
    const lease = await acquire(await executor());
    lease.evict('newer_epoch', 'first');
    lease.evict('token_refused', 'second');
    expect(lease.lost.reason).toMatchObject({ reason: 'newer_epoch' });
  });
});

test('renewals are told by their outcome', async () => {
  const onRenewal = vi.fn<(outcome: string) => void>();
  const lease = await acquire(await executor(file.url, { onRenewal }));
  await vi.waitUntil(() => onRenewal.mock.calls.length > 1, { timeout: 3_000, interval: 5 });
  await file.redis.set(lockKey(), 'another', 'PX', 30_000);
  await lost(lease);
  const outcomes = onRenewal.mock.calls.flat();
  expect(new Set(outcomes.slice(0, -1))).toEqual(new Set(['extended']));
  expect(outcomes.at(-1)).toBe('refused');
});

describe('the epoch', () => {
  test('of a lease is raised above one that is not lower, for all who come after too', async () => {
    const parts = await executor();
    const lease = await acquire(parts);
    const own = lease.epoch;
    await lease.raiseEpochAbove(own - 1);
    expect(lease.epoch).toBe(own);
    await lease.raiseEpochAbove(own + 1e9);
    expect(lease.epoch).toBe(own + 1e9 + 1);
    await lease.release();
    expect((await acquire(parts)).epoch).toBeGreaterThan(own + 1e9 + 1);
  });

  test('rises with every lease', async () => {
    const parts = await executor();
    const epochs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const lease = await acquire(parts);
      epochs.push(lease.epoch);
      await lease.release();
    }
    expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b));
  });

  test('rises also when the stored one was lost, and stays for ever', async () => {
    const parts = await executor();
    const first = await nextEpoch(parts.redis, username);
    await file.redis.del(epochKey());
    await vi.waitUntil(() => Date.now() > first);
    expect(await nextEpoch(parts.redis, username)).toBeGreaterThan(first);
    expect(await file.redis.ttl(epochKey())).toBe(-1);
  });

  test('rises above one that was seen elsewhere, and above a stored one from a clock ahead', async () => {
    const parts = await executor();
    const ahead = Date.now() + 1e9;
    expect(await nextEpoch(parts.redis, username, ahead)).toBe(ahead);
    expect(await nextEpoch(parts.redis, username)).toBe(ahead + 1);
  });
});

describe('a lease past its deadline', () => {
  test.each(['wallMs', 'monotonicMs'] as const)(
    'is not held any more, by the clock %s alone',
    async (clock) => {
      const now = { wallMs: Date.now(), monotonicMs: 0 };
      const clocks = { wallMs: () => now.wallMs, monotonicMs: () => now.monotonicMs };
      const { ttlMs, marginMs } = leaseTimings(TTL_MS);
      // Renewals would move the deadline.
      const timings = { ...leaseTimings(TTL_MS), renewEveryMs: 60_000 };
      const lease = await acquire(await executor(file.url, { clocks, timings }));
      now[clock] += ttlMs - marginMs - 1;
      expect(() => lease.assertHeld()).not.toThrow();
      now[clock] += 1;
      expect(() => lease.assertHeld()).toThrow(LeaseLostError);
      expect(() => lease.assertHeld()).toThrow(
        `The lease on ${username} is lost: its deadline passed without a renewal`,
      );
      expect(lease.lost.aborted).toBe(true);
    },
  );

  test('does not come back when the clock is set back', async () => {
    const now = { wallMs: Date.now(), monotonicMs: 0 };
    const clocks = { wallMs: () => now.wallMs, monotonicMs: () => now.monotonicMs };
    const lease = await acquire(await executor(file.url, { clocks }));
    now.wallMs += TTL_MS;
    expect(() => lease.assertHeld()).toThrow(LeaseLostError);
    now.wallMs -= TTL_MS;
    expect(() => lease.assertHeld()).toThrow(LeaseLostError);
  });

  test('tells so by itself, before the TTL, when Redis is frozen', async () => {
    const server = stack.use(await TestRedisServer.start());
    const lease = await acquire(await executor(server.url));
    const begun = performance.now();
    server.freeze();
    await lost(lease);
    expect(performance.now() - begun).toBeLessThan(TTL_MS);
    expect(() => lease.assertHeld()).toThrow(LeaseLostError);
    server.thaw();
  });

  test('tells so when Redis is gone', async () => {
    const server = stack.use(await TestRedisServer.start());
    const lease = await acquire(await executor(server.url));
    await server.kill();
    await lost(lease);
    expect(lease.lost.reason).toBeInstanceOf(LeaseLostError);
  });
});

describe('a Redis that answers a renewal too late', () => {
  test('gives the identity to nobody else while its holder counts on it', async () => {
    const server = stack.use(await TestRedisServer.start());
    const timings = { ttlMs: 6_000, renewEveryMs: 100, marginMs: 1_000, retryEveryMs: 50 };
    const rival = await executor(server.url, { timings });
    const parts = await executor(server.url, { timings });
    const lease = await acquire(parts);
    const value = await rival.redis.get(lockKey());
    // A renewal is given up after 100 ms, long before the lease itself.
    parts.redis.options.commandTimeout = 100;
    server.freeze();
    await vi.waitUntil(() => lines.some((line) => line.includes('lease not renewed')), {
      timeout: 3_000,
      interval: 5,
    });
    parts.redis.options.commandTimeout = 3_000;
    server.thaw();
    // Behind everything that the holder sent while it got no answer.
    await parts.redis.ping();
    expect(await rival.redis.get(lockKey())).toBe(value);
    const { onWaiting } = await waiting(rival);
    expect(onWaiting).toHaveBeenCalledTimes(1);
    expect(() => lease.assertHeld()).not.toThrow();
  });
});

describe("a lock that is another's by now", () => {
  test('is neither extended nor released, and the lease is lost', async () => {
    const lease = await acquire(await executor());
    await file.redis.set(lockKey(), 'another', 'PX', 30_000);
    await lost(lease);
    await lease.release();
    expect(await file.redis.get(lockKey())).toBe('another');
    expect(await file.redis.pttl(lockKey())).toBeGreaterThan(20_000);
  });

  test('ends the lease with the next renewal, not with the deadline', async () => {
    const timings = { ttlMs: 60_000, renewEveryMs: 50, marginMs: 1_000, retryEveryMs: 50 };
    const lease = await acquire(await executor(file.url, { timings }));
    await file.redis.set(lockKey(), 'another', 'PX', 30_000);
    await lost(lease);
    expect(() => lease.assertHeld()).toThrow(LeaseLostError);
  });

  test('is not made anew when it has run out', async () => {
    const lease = await acquire(await executor());
    await file.redis.del(lockKey());
    await lost(lease);
    expect(await file.redis.exists(lockKey())).toBe(0);
  });

  test('is not released by its former holder', async () => {
    const lease = await acquire(
      await executor(file.url, { timings: { ...leaseTimings(TTL_MS), renewEveryMs: 60_000 } }),
    );
    await file.redis.set(lockKey(), 'another', 'PX', 30_000);
    await lease.release();
    expect(await file.redis.get(lockKey())).toBe('another');
  });
});
