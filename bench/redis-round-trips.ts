import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const QUIET_MS = 3_000;

/**
 * Round trips to Redis while `work` ran, beyond those of an idle service in the same time, by command. A transaction
 * and a script are one each, whatever they hold.
 */
export async function redisRoundTrips(
  url: string,
  work: () => Promise<unknown>,
): Promise<Map<string, number>> {
  const idle = await during(url, () => sleep(QUIET_MS));
  const busy = await during(url, async () => {
    await Promise.all([work(), sleep(QUIET_MS)]);
  });
  const trips = new Map<string, number>();
  for (const [name, count] of busy) {
    const more = count - (idle.get(name) ?? 0);
    if (more > 0) trips.set(name, more);
  }
  return trips;
}

async function during(url: string, work: () => Promise<unknown>): Promise<Map<string, number>> {
  const redis = new Redis(url);
  const monitor = await redis.monitor();
  const counts = new Map<string, number>();
  const inTransaction = new Set<string>();
  monitor.on('monitor', (_time: string, [command = '']: string[], source: string) => {
    const name = command.toLowerCase();
    if (source === 'lua') return; // what a script does inside Redis
    if (name === 'exec') inTransaction.delete(source);
    if (inTransaction.has(source)) return;
    if (name === 'multi') inTransaction.add(source);
    else counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  try {
    await work();
    return counts;
  } finally {
    monitor.disconnect();
    redis.disconnect();
  }
}
