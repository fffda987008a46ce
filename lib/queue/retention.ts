/** How long ended jobs and their notebooks are kept: the oldest go first, each with all that belongs to it. */
import type { Redis } from 'ioredis';
import { deliveryKey, eventsKey, verdictKey } from '../contract/job-keys.ts';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { bullKey } from './bull-keys.ts';
import { PAGE } from './expiry.ts';

/** Lua: the keys of a job's notebooks; inside of JSON's strings no quote is without its backslash. */
const BODIES = `
local function bodies(prefix, id)
  local outcome = redis.call('HGET', prefix .. id, 'returnvalue') or ''
  local result = string.match(outcome, '"result_id":"([^"]+)"')
  local source = '${KEY_PREFIX}:source:' .. id
  if result then return source, '${KEY_PREFIX}:result:' .. id .. ':' .. result end
  return source
end
`;

const MEASURE = `${BODIES}
local room = tonumber(ARGV[4])
local ids = redis.call('ZREVRANGE', KEYS[1], ARGV[2], ARGV[3])
for n, id in ipairs(ids) do
  local bytes = 0
  for _, body in ipairs({ bodies(ARGV[1], id) }) do bytes = bytes + redis.call('STRLEN', body) end
  if bytes > room then return { n - 1, room, 1 } end
  room = room - bytes
end
return { #ids, room, #ids == 0 and 1 or 0 }`;

const REMOVE = `${BODIES}
for n = 5, #ARGV do
  local id = ARGV[n]
  redis.call('DEL', ARGV[2] .. id, ARGV[3] .. id, ARGV[4] .. id, bodies(ARGV[1], id))
  redis.call('DEL', ARGV[1] .. id, ARGV[1] .. id .. ':logs')
  redis.call('ZREM', KEYS[1], id)
end`;

/** Where BullMQ has the ended jobs, by the time of their end. */
const ENDED = ['completed', 'failed'] as const;

/** @returns how many jobs were removed, as they ended longer ago */
export async function removeOlder(
  redis: Redis,
  queueName: string,
  retentionSeconds: number,
  signal: AbortSignal,
): Promise<number> {
  const before = Date.now() - retentionSeconds * 1_000;
  let removed = 0;
  for (const set of ENDED) {
    const key = bullKey(queueName, set);
    for (let full = true; full && !signal.aborted;) {
      const ids = await redis.zrangebyscore(key, '-inf', `(${before}`, 'LIMIT', 0, PAGE);
      removed += await remove(redis, queueName, set, ids);
      full = ids.length === PAGE;
    }
  }
  return removed;
}

/**
 * @param maxBytes what the notebooks of ended jobs may take together, as they are stored
 * @returns how many jobs were removed, as they did not fit beside newer ones, and the bytes that are left
 */
export async function removeBeyond(
  redis: Redis,
  queueName: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<{ removed: number; bytes: number }> {
  const key = bullKey(queueName, 'completed');
  const ended = await redis.zcard(key);
  let room = maxBytes;
  let kept = 0;
  for (let over = 0; over === 0 && !signal.aborted;) {
    const page = [bullKey(queueName, ''), kept, kept + PAGE - 1, room];
    const measured = await redis.eval(MEASURE, 1, key, ...page);
    let fits;
    [fits, room, over] = measured as [number, number, number];
    kept += fits;
  }
  // Not those that the signal has kept from being measured.
  if (signal.aborted) return { removed: 0, bytes: maxBytes - room };
  let removed = 0;
  while (kept + removed < ended && !signal.aborted) {
    const count = Math.min(PAGE, ended - kept - removed);
    const ids = await redis.zrange(key, '0', String(count - 1));
    if (ids.length === 0) break;
    removed += await remove(redis, queueName, 'completed', ids);
  }
  return { removed, bytes: maxBytes - room };
}

async function remove(redis: Redis, queueName: string, set: string, ids: string[]): Promise<number> {
  const prefixes = [bullKey(queueName, ''), eventsKey(''), verdictKey(''), deliveryKey('')];
  if (ids.length > 0) await redis.eval(REMOVE, 1, bullKey(queueName, set), ...prefixes, ...ids);
  return ids.length;
}
