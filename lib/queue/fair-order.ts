/**
 * The order of jobs: self-clocked fair queueing. Each caller has a flow for each priority; a job's tag is its flow's
 * last tag plus the cost of its priority, counted from no earlier than the tag that is served now. Jobs are served
 * by their tags, so that whoever comes anew is served next, however many jobs of others wait, and no flow starves:
 * while a batch job waits, at most {@link COSTS}.batch interactive ones of each caller are served before it.
 *
 * The tag is BullMQ's priority. What gives a job back to the queue, or delays it, keeps it there: its tag is below
 * those of all that wait; a stalled job goes to BullMQ's list of jobs without a priority, which is served first.
 */
import type { JobPriority, NbexecJobData } from '../contract/nbexec-job.ts';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { bullKey, bullKeys } from './bull-keys.ts';
import { PACE } from './start-estimate.ts';

/** How much of its caller's share a job takes: of three callers with one priority each, 16 to 4 to 1 jobs are run. */
const COSTS: Record<JobPriority, number> = { interactive: 1, ci: 4, batch: 16 };

/** BullMQ's lowest priority: of a job within the transaction that adds and places it, and of no other. */
export const UNPLACED = 2 ** 21 - 1;

/** Tags that have come so far are moved back, or those that no longer fit would all be the last. */
const LAST_TAG = UNPLACED - 1;

/** Callers whose next jobs have one tag, as far as they are looked at. */
const MAX_TIED = 64;

// Longer than jobs wait; without it, callers would only be treated as new.
const FLOWS_TTL_SECONDS = 7 * 86_400;

/**
 * The clock is the highest tag of the jobs that were started: remembered, or found at those that run, or known from the
 * job that is next. The one before it of its flow has been started, and so have all that flows had to do before its
 * tag; those with its tag, when they wait no more. Ties are served in the order of arrival, which BullMQ has put into the
 * score's lower 32 bits.
 */
const PLACE = `${PACE}
local job, prioritized, active, wait, delayed, flows = unpack(KEYS)
local id, flow, cost, prefix = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local unplaced, last_tag = ARGV[5], tonumber(ARGV[6])
local BELOW = 4294967296
local CLOCK = ''

local function tag_of(other) return tonumber(redis.call('HGET', prefix .. other, 'priority')) or 0 end

local function rebase(by)
  local function moved(tag) return math.max(tag - by, 1) end
  local waiting = redis.call('ZRANGE', prioritized, 0, -1, 'WITHSCORES')
  for n = 1, #waiting, 2 do
    local score = tonumber(waiting[n + 1])
    local tag = moved(math.floor(score / BELOW))
    if waiting[n] ~= id then
      redis.call('ZADD', prioritized, tag * BELOW + score % BELOW, waiting[n])
      redis.call('HSET', prefix .. waiting[n], 'priority', tag)
    end
  end
  for _, others in ipairs({ redis.call('LRANGE', active, 0, -1), redis.call('LRANGE', wait, 0, -1),
      redis.call('ZRANGE', delayed, 0, -1) }) do
    for _, other in ipairs(others) do redis.call('HSET', prefix .. other, 'priority', moved(tag_of(other))) end
  end
  local known = redis.call('ZRANGE', flows, 0, -1, 'WITHSCORES')
  for n = 1, #known, 2 do redis.call('ZADD', flows, moved(tonumber(known[n + 1])), known[n]) end
end

-- Whether a flow's last job had this tag, which is the first that waits, and waits no more. With many of them nobody looks.
local function has_started(tag)
  local function of_tag(set, from, to) return redis.call('ZRANGE', set, from, to, 'BYSCORE', 'LIMIT', 0, ${MAX_TIED}) end
  local function score(of) return string.format('%.0f', of * BELOW) end
  local waiting, tied = {}, of_tag(prioritized, score(tag), '(' .. score(tag + 1))
  if #tied == ${MAX_TIED} then return false end
  for _, other in ipairs(tied) do waiting[redis.call('HGET', prefix .. other, 'flow') or ''] = true end
  for _, other in ipairs(of_tag(flows, tag, tag)) do
    if other ~= CLOCK and not waiting[other] then return true end
  end
  return false
end

if redis.call('HGET', job, 'priority') == unplaced then
  local others = redis.call('ZCARD', prioritized) - 1 + redis.call('LLEN', active) + redis.call('LLEN', wait)
    + redis.call('ZCARD', delayed)
  if others == 0 then redis.call('DEL', flows) end
  local clock = tonumber(redis.call('ZSCORE', flows, CLOCK)) or 1
  for _, other in ipairs(redis.call('LRANGE', active, 0, 15)) do clock = math.max(clock, tag_of(other)) end
  local head = redis.call('ZRANGE', prioritized, 0, 0, 'WITHSCORES')
  if head[1] ~= id then
    local head_cost = tonumber(redis.call('HGET', prefix .. head[1], 'cost')) or ${COSTS.batch}
    local head_tag = math.floor(tonumber(head[2]) / BELOW)
    local before = redis.call('ZREVRANGEBYSCORE', flows, '(' .. head_tag, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
    clock = math.max(clock, head_tag - head_cost, tonumber(before[2]) or 0)
    if clock < head_tag and has_started(head_tag) then clock = head_tag end
  end
  local function tag_from(from)
    return math.max(from - 1, tonumber(redis.call('ZSCORE', flows, flow)) or 0) + cost
  end
  local tag = tag_from(clock)
  if tag > last_tag and clock > last_tag / 2 then
    rebase(clock - 1)
    clock, tag = 1, tag_from(1)
  end
  tag = math.min(tag, last_tag)
  redis.call('HSET', job, 'priority', tag, 'cost', cost, 'flow', flow)
  redis.call('ZADD', prioritized, tag * BELOW + redis.call('ZSCORE', prioritized, id) % BELOW, id)
  redis.call('ZREMRANGEBYSCORE', flows, '-inf', '(' .. clock)
  redis.call('ZADD', flows, clock, CLOCK, tag, flow)
  redis.call('EXPIRE', flows, ARGV[7])
end
local rank = redis.call('ZRANK', prioritized, id) or 0
return pace(KEYS[7], active, prefix, rank + redis.call('LLEN', wait))`;

/**
 * The arguments of the EVAL that gives a job its place, in the transaction that adds it as {@link UNPLACED}; it returns
 * the queue's pace for the job.
 */
export function placeCommand(queueName: string, jobId: string, data: NbexecJobData): (string | number)[] {
  const priority = data.priority ?? 'interactive';
  return [
    PLACE,
    7,
    ...bullKeys(queueName, [jobId, 'prioritized', 'active', 'wait', 'delayed']),
    `${KEY_PREFIX}:flows:${queueName}`,
    bullKey(queueName, 'completed'),
    jobId,
    `${priority}:${data.owner}`,
    COSTS[priority],
    bullKey(queueName, ''),
    UNPLACED,
    LAST_TAG,
    FLOWS_TTL_SECONDS,
  ];
}
