import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { CANCELLED } from './verdict.ts';
import { PACE } from './start-estimate.ts';

// Between its admission and its job a submission only writes them.
const SUBMISSION_MS = 60_000;

/**
 * Longer than a submission takes from its claim of an idempotency key to its job. When it is over sooner, both make the
 * same job, which is added once.
 */
export const CLAIM_MS = 5_000;

/**
 * Lua: decides whether a submission is taken, and as which job.
 *
 * A caller's unfinished jobs are a set of their ids. It is put right whenever it is full, from the jobs themselves, so
 * that nobody has to take an ended job out of it, and what was lost on the way does not count for ever.
 *
 * What was claimed and then lost on the way is completed as the same job by whoever comes next: so a process that
 * dies blocks nobody, and two at once make one job. Where the answer is a job that exists something is written too: a
 * WAIT on this connection then covers that job.
 */
export const ADMIT = `${PACE}
local unfinished, completed, active, bots, inflight, record = unpack(KEYS)
local id, now, max_jobs, prefix, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local owner, verdicts, coalesce, request, record_ttl = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]

-- An idempotency key may stand for a job in another queue, which its id names.
local function key_of(job) return '${KEY_PREFIX}:' .. string.sub(job, 1, -34) .. ':' .. job end
local function exists(job) return redis.call('EXISTS', key_of(job)) == 1 end
local function has_ended(job) return redis.call('HEXISTS', key_of(job), 'finishedOn') == 1 end
local function remember(job)
  redis.call('DEL', record)
  redis.call('HSET', record, 'id', job, 'request', request)
  redis.call('EXPIRE', record, record_ttl)
end

if redis.call('SISMEMBER', bots, owner) == 1 then return { 'pool_bot' } end

local is_claimed = false
if record and redis.call('EXISTS', record) == 1 then
  local known = redis.call('HMGET', record, 'id', 'request', 'claimed_at')
  if known[2] ~= request then return { 'key_reused' } end
  if exists(known[1]) then
    redis.call('EXPIRE', record, record_ttl)
    return { 'exists', known[1] }
  end
  if known[3] then
    local left = ${CLAIM_MS} - (now - known[3])
    if left > 0 then return { 'key_in_use', left } end
    id, is_claimed = known[1], true
  end
end

if coalesce == '1' and not is_claimed then
  local other = redis.call('GET', inflight)
  if other and exists(other) then
    if not has_ended(other) and redis.call('GET', verdicts .. other) ~= '${CANCELLED}' then
      redis.call('SET', inflight, other, 'EX', ttl)
      if record then remember(other) end
      return { 'exists', other }
    end
  elseif other then
    local since = redis.call('ZSCORE', unfinished, other)
    if since and now - since < ${SUBMISSION_MS} then id = other end
  end
end

if not redis.call('ZSCORE', unfinished, id) then
  if redis.call('ZCARD', unfinished) >= max_jobs then
    local known = redis.call('ZRANGE', unfinished, 0, -1, 'WITHSCORES')
    for n = 1, #known, 2 do
      local job, since = known[n], known[n + 1]
      local over
      if exists(job) then over = has_ended(job) else over = now - since > ${SUBMISSION_MS} end
      if over then redis.call('ZREM', unfinished, job) end
    end
    if redis.call('ZCARD', unfinished) >= max_jobs then
      return { 'too_many', pace(completed, active, prefix, 0) }
    end
  end
  redis.call('ZADD', unfinished, now, id)
  redis.call('EXPIRE', unfinished, ttl)
end
redis.call('SET', inflight, id, 'EX', ttl)
if record then
  remember(id)
  redis.call('HSET', record, 'claimed_at', now)
end
return { 'admitted', id }`;
