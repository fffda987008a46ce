import type { Redis } from 'ioredis';
import { KEY_PREFIX } from '../../../lib/contract/nbexec-job.ts';

// Redis' own clock keeps epochs rising even when the stored one was lost with the server.
const NEXT_EPOCH = `
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
local time = redis.call('TIME')
local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local epoch = string.format('%d', math.max(stored + 1, ms, tonumber(ARGV[1])))
redis.call('SET', KEYS[1], epoch)
return epoch
`;

/**
 * Issues the next fencing epoch of an identity: higher than any before it, so that what an older holder left in
 * the lab can be told from what is ours. The key has no TTL: an epoch must never come back.
 *
 * @param atLeast one more than the highest epoch that was seen elsewhere, such as in the lab itself
 */
export async function nextEpoch(redis: Redis, username: string, atLeast = 0): Promise<number> {
  return Number(await redis.eval(NEXT_EPOCH, 1, `${KEY_PREFIX}:epoch:${username}`, atLeast));
}
