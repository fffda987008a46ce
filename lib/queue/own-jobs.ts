/** The newest jobs of each caller, to be listed. */
import type { Redis } from 'ioredis';
import { verdictKey } from '../contract/job-keys.ts';
import { bullKey, bullKeys } from './bull-keys.ts';
import { ownJobsKey } from './owner-keys.ts';
import { CANCELLED } from './verdict.ts';
import type { KeyWrite } from './write-script.ts';

/** How many jobs of a caller can be listed; older ones can still be read by their ids. */
export const MAX_OWN_JOBS = 1_000;

/** To be run in the transaction that adds the job, so that none is listed that was not added. */
export function ownJobWrites(
  queueName: string,
  owner: string,
  jobId: string,
  enqueuedAtMs: number,
  ttlSeconds: number,
): KeyWrite[] {
  const key = ownJobsKey(queueName, owner);
  return [
    // A job that is added again is not a newer one.
    { command: 'ZADD', key, args: ['NX', enqueuedAtMs, jobId] },
    { command: 'ZREMRANGEBYRANK', key, args: [0, -1 - MAX_OWN_JOBS] },
    { command: 'EXPIRE', key, args: [ttlSeconds] },
  ];
}

/** A place in the list: behind the job that was enqueued then. */
export interface OwnJobsCursor {
  enqueuedAtMs: number;
  jobId: string;
}

/** BullMQ's fields of a job that tell how it is. */
const FIELDS = [
  'data',
  'timestamp',
  'processedOn',
  'finishedOn',
  'progress',
  'returnvalue',
  'failedReason',
  'stc',
] as const;

/** A job as a script reads it: its place in the list, BullMQ's state of it, and the fields that it has. */
export interface StoredJob {
  place: OwnJobsCursor;
  state: string;
  cancelling: boolean;
  fields: Partial<Record<(typeof FIELDS)[number], string>>;
}

const PAGE = `
local own, active, delayed = unpack(KEYS)
local prefix, verdicts, limit, from, from_id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local running = {}
for _, id in ipairs(redis.call('LRANGE', active, 0, -1)) do running[id] = true end

local function state_of(id, finished_on)
  if finished_on then return 'completed' end
  if running[id] then return 'active' end
  return redis.call('ZSCORE', delayed, id) and 'delayed' or 'waiting'
end

local page, gone, offset = {}, {}, 0
repeat
  local known = redis.call('ZREVRANGEBYSCORE', own, from, '-inf', 'WITHSCORES', 'LIMIT', offset, 100)
  for n = 1, #known, 2 do
    local id = known[n]
    if #page < limit and not (known[n + 1] == from and id >= from_id) then
      local fields = redis.call('HMGET', prefix .. id, ${FIELDS.map((name) => `'${name}'`).join(', ')})
      if fields[1] then
        local is_cancelled = redis.call('GET', verdicts .. id) == '${CANCELLED}'
        page[#page + 1] = { id, known[n + 1], state_of(id, fields[4]), is_cancelled and 1 or 0, fields }
      else
        gone[#gone + 1] = id
      end
    end
  end
  offset = offset + 100
until #page == limit or #known == 0
for _, id in ipairs(gone) do redis.call('ZREM', own, id) end
return page`;

/**
 * Reads the newest of a caller's jobs, or those behind a place, newest first, in one round trip. Those that are there no
 * more are taken off the list.
 *
 * @returns at most `limit`
 */
export async function readOwnJobs(
  redis: Redis,
  queueName: string,
  owner: string,
  limit: number,
  after?: OwnJobsCursor,
): Promise<StoredJob[]> {
  const keys = [ownJobsKey(queueName, owner), ...bullKeys(queueName, ['active', 'delayed'])];
  const from = after ? [after.enqueuedAtMs, after.jobId] : ['+inf', ''];
  const args = [bullKey(queueName, ''), verdictKey(''), limit, ...from];
  const page = await redis.eval(PAGE, keys.length, ...keys, ...args);
  return (page as StoredRow[]).map(([jobId, ms, state, cancelling, values]) => ({
    place: { enqueuedAtMs: Number(ms), jobId },
    state,
    cancelling: cancelling === 1,
    fields: Object.fromEntries(FIELDS.flatMap((name, n) => (values[n] ? [[name, values[n]]] : []))),
  }));
}

type StoredRow = [id: string, ms: string, state: string, cancelling: number, values: (string | null)[]];
