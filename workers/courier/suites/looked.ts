import type { Redis } from 'ioredis';
import { schedulesKey } from '../../../lib/queue/github-keys.ts';
import type { Schedule } from '../../../suite/suite-file.ts';

/** Longer than anybody pauses a repository's suite. */
const KEPT_SECONDS = 90 * 86_400;

/**
 * KEYS the hash; ARGV the instant, its TTL, the schedules that there are. Each look writes them all, so that one that is not older
 * than what is there has nothing to add.
 */
const WRITE = `
local now = tonumber(ARGV[1])
local kept = redis.call('HGETALL', KEYS[1])
for i = 2, #kept, 2 do
  if tonumber(kept[i]) >= now then return 0 end
end
redis.call('DEL', KEYS[1])
for i = 3, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], ARGV[1]) end
if #ARGV > 2 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1`;

/** Another time is another schedule, which begins when it is seen first. */
export const identityOf = ({ name, cron, timezone }: Schedule): string =>
  JSON.stringify([name, cron, timezone]);

/** Up to which instant, in ms, a repository's schedules were looked at, by their identity. */
export async function lookedAt(redis: Redis, repository: string): Promise<Map<string, number>> {
  const found = await redis.hgetall(schedulesKey(repository));
  return new Map(Object.entries(found).map(([identity, ms]) => [identity, Number(ms)]));
}

/** Writes that all of these, and no others, were looked at; a later look stays as it is. */
export async function noteLook(
  redis: Redis,
  repository: string,
  schedules: readonly Schedule[],
  nowMs: number,
): Promise<void> {
  const identities = schedules.map(identityOf);
  await redis.eval(WRITE, 1, schedulesKey(repository), nowMs, KEPT_SECONDS, ...identities);
}
