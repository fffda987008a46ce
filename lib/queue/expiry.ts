import type { Redis } from 'ioredis';
import { errorOf } from '../contract/execution-error.ts';
import { eventsKey } from '../contract/job-keys.ts';
import { bullKey, bullKeys } from './bull-keys.ts';
import { END_WAITING, endWaitingArgs } from './end-waiting.ts';

/** How many jobs one script looks at, so that Redis is never held up for more than about a millisecond. */
export const PAGE = 200;

const EXPIRE = `${END_WAITING}
local waiting, completed, events = unpack(KEYS)
local prefix, live_prefix, now, before = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local ids = redis.call('ZRANGE', waiting, ARGV[5], ARGV[6])
local expired = 0
for _, id in ipairs(ids) do
  local enqueued = tonumber(redis.call('HGET', prefix .. id, 'timestamp'))
  if enqueued and enqueued < before then
    redis.call('ZREM', waiting, id)
    end_waiting(id, now, prefix .. id, completed, events, live_prefix .. id, ARGV[7], ARGV[8])
    expired = expired + 1
  end
end
return { #ids, expired }`;

/**
 * Ends the jobs that have waited too long for an executor.
 *
 * @param signal between two pages of jobs, leaves the rest for the next time
 * @returns how many
 */
export async function expireWaiting(
  redis: Redis,
  queueName: string,
  startWithinSeconds: number,
  signal: AbortSignal,
): Promise<number> {
  const message = `The job was not started within ${startWithinSeconds} s: submit it again`;
  const ending = endWaitingArgs({ error: errorOf('expired', message) });
  const keys = bullKeys(queueName, ['prioritized', 'completed', 'events']);
  const now = Date.now();
  const before = now - startWithinSeconds * 1_000;
  let expired = 0;
  for (let offset = 0; !signal.aborted;) {
    const page = [bullKey(queueName, ''), eventsKey(''), now, before, offset, offset + PAGE - 1];
    const [seen, ended] = (await redis.eval(EXPIRE, keys.length, ...keys, ...page, ...ending)) as [
      number,
      number,
    ];
    expired += ended;
    offset += seen - ended;
    if (seen < PAGE) break;
  }
  return expired;
}
