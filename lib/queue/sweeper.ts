import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import type { Logger } from '../logger.ts';
import { bullKey } from './bull-keys.ts';
import { expireWaiting } from './expiry.ts';
import { removeBeyond, removeOlder } from './retention.ts';

export interface SweeperOptions {
  redis: Redis;
  queueName: string;
  /** How long an ended job is kept. */
  retentionSeconds: number;
  /** What the notebooks of ended jobs may take together, as they are stored. */
  retentionBytes: number;
  /** How long a job may wait for an executor. */
  startWithinSeconds: number;
  intervalMs?: number;
  log: Logger;
  /** Ends the sweeping, within one command. */
  signal: AbortSignal;
}

const INTERVAL_MS = 60_000;

/**
 * Sweeps the queue now and then, in one of all executors at a time, until the signal is aborted. Never rejects: what a
 * sweep leaves is there for the next one.
 */
export async function startSweeper(options: SweeperOptions): Promise<void> {
  const { redis, queueName, intervalMs = INTERVAL_MS, log, signal } = options;
  while (!signal.aborted) {
    try {
      // Whoever has swept keeps the others from it until it is time again.
      const lock = `${KEY_PREFIX}:sweep:${queueName}`;
      if (await redis.set(lock, '1', 'PX', Math.ceil(intervalMs * 0.9), 'NX')) await sweep(options);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'queue not swept');
    }
    await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function sweep(options: SweeperOptions): Promise<void> {
  const { redis, queueName, retentionSeconds, retentionBytes, startWithinSeconds, log, signal } = options;
  const begun = performance.now();
  const expired = await expireWaiting(redis, queueName, startWithinSeconds, signal);
  const older = await removeOlder(redis, queueName, retentionSeconds, signal);
  const beyond = await removeBeyond(redis, queueName, retentionBytes, signal);
  const unlocked = await unlockedJobs(redis, queueName);
  const ms = Math.round(performance.now() - begun);
  const report = { expired, older, beyond: beyond.removed, bytes: beyond.bytes, ms };
  log[expired + older + beyond.removed > 0 ? 'info' : 'debug'](report, 'queue swept');
  // They are taken over at the next look for stalled jobs; the same ones again and again mean that nobody looks.
  if (unlocked.length > 0) log.warn({ job_ids: unlocked }, 'jobs of dead executors');
}

/** Jobs that count as running, though no executor holds them. */
async function unlockedJobs(redis: Redis, queueName: string): Promise<string[]> {
  const active = await redis.lrange(bullKey(queueName, 'active'), 0, -1);
  if (active.length === 0) return [];
  const locks = await redis.mget(active.map((id) => bullKey(queueName, `${id}:lock`)));
  return active.filter((_, n) => locks[n] === null);
}
