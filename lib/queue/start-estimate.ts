import type { Redis } from 'ioredis';
import { bullKey, bullKeys } from './bull-keys.ts';

/** Answers are not to be asked for more often, nor to be waited for longer, than this. */
const MIN_SECONDS = 1;
const MAX_SECONDS = 300;

/** What a script tells of the queue: see {@link PACE}. */
export type Pace = readonly [ahead: number, running: number, meanRunMs: number];

/**
 * Lua: `pace(completed, active, prefix, ahead)` returns how many jobs are ahead, how many run, and how long the last
 * ten that ended have run on average, in ms. Read from the jobs themselves, so that nobody has to keep count.
 */
export const PACE = `
local function pace(completed, active, prefix, ahead)
  local total, count = 0, 0
  for _, id in ipairs(redis.call('ZREVRANGE', completed, 0, 9)) do
    local times = redis.call('HMGET', prefix .. id, 'processedOn', 'finishedOn')
    if times[1] and times[2] then total, count = total + times[2] - times[1], count + 1 end
  end
  return { ahead, redis.call('LLEN', active), count > 0 and math.floor(total / count) or 0 }
end
`;

const WAITING = `${PACE}
local rank = redis.call('ZRANK', KEYS[1], ARGV[2]) or 0
return pace(KEYS[2], KEYS[3], ARGV[1], rank + redis.call('LLEN', KEYS[4]))`;

/** @returns in how many seconds a job that waits may be started, as far as can be told */
export async function startsInSeconds(redis: Redis, queueName: string, jobId: string): Promise<number> {
  const keys = bullKeys(queueName, ['prioritized', 'completed', 'active', 'wait']);
  return secondsOf((await redis.eval(WAITING, keys.length, ...keys, bullKey(queueName, ''), jobId)) as Pace);
}

/** While jobs wait all executors are busy, so that those that run tell how many can. */
export function secondsOf([ahead, running, meanRunMs]: Pace): number {
  const seconds = ((ahead + 1) * meanRunMs) / Math.max(running, 1) / 1_000;
  return Math.min(Math.max(Math.ceil(seconds), MIN_SECONDS), MAX_SECONDS);
}
