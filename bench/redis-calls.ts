import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const QUIET_MS = 3_000;

/** Redis commands that clients sent while `work` ran, beyond what an idle service sends in the same time. */
export async function redisCalls(url: string, work: () => Promise<unknown>): Promise<Map<string, number>> {
  const redis = new Redis(url);
  try {
    const idle = await during(redis, () => sleep(QUIET_MS));
    const busy = await during(redis, async () => {
      await Promise.all([work(), sleep(QUIET_MS)]);
    });
    const calls = new Map<string, number>();
    for (const [name, count] of busy) {
      const more = count - (idle.get(name) ?? 0);
      if (more > 0) calls.set(name, more);
    }
    return calls;
  } finally {
    redis.disconnect();
  }
}

async function during(redis: Redis, work: () => Promise<unknown>): Promise<Map<string, number>> {
  await redis.config('RESETSTAT');
  await work();
  const stats = await redis.info('commandstats');
  const counts = new Map<string, number>();
  for (const [, name, calls] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (name && !/^(info|config)/.test(name)) counts.set(name, Number(calls));
  }
  return counts;
}
