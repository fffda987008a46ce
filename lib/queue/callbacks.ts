/**
 * What is kept of callbacks beside the jobs they are for (see docs/adr/0021). Submit notes each together with its job;
 * the courier finds among those noted the jobs that have ended, and writes down how the telling goes.
 */
import type { Redis } from 'ioredis';
import {
  callbackDelivery,
  type CallbackDelivery,
  type CallbackEvent,
  type CallbackRequest,
} from '../contract/callback.ts';
import { deliveryKey, targetKey, untoldKey } from '../contract/job-keys.ts';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { PAGE } from './expiry.ts';
import type { KeyWrite } from './write-script.ts';

/** Longer than a courier tries to deliver. */
const DELIVERY_SECONDS = 2 * 86_400;

/** Where and how the end of a job is to be told. */
export interface CallbackTarget {
  url: string;
  secret: string;
  events: readonly CallbackEvent[];
}

/**
 * To be run in the transaction that adds the job, so that no job with a callback can end unnoticed.
 *
 * @param jobTtlSeconds how long the job may wait, run and be kept
 */
export function callbackWrites(
  jobId: string,
  target: CallbackRequest,
  courierQueue: string,
  jobTtlSeconds: number,
): KeyWrite[] {
  const ttlSeconds = Math.ceil(jobTtlSeconds) + DELIVERY_SECONDS;
  const untold = untoldKey(courierQueue);
  return [
    { command: 'SET', key: targetKey(jobId), args: [JSON.stringify(target), 'EX', ttlSeconds] },
    { command: 'ZADD', key: untold, args: ['NX', Date.now(), jobId] },
    { command: 'EXPIRE', key: untold, args: [ttlSeconds] },
  ];
}

/** @returns undefined when the job's end has been told, or cannot be any more */
export async function readTarget(redis: Redis, jobId: string): Promise<CallbackTarget | undefined> {
  const stored = await redis.get(targetKey(jobId));
  return stored === null ? undefined : (JSON.parse(stored) as CallbackTarget);
}

/** By the ids of their jobs; one that has had no attempt yet is not there. */
export async function readDeliveries(
  redis: Redis,
  jobIds: readonly string[],
): Promise<Map<string, CallbackDelivery>> {
  if (jobIds.length === 0) return new Map();
  const pipeline = redis.pipeline();
  for (const id of jobIds) pipeline.hgetall(deliveryKey(id));
  const replies = (await pipeline.exec()) ?? [];
  return new Map(
    jobIds.flatMap((id, n) => {
      const [error, stored] = replies[n] ?? [];
      if (error) throw error;
      const delivery = parsed(stored as Record<string, string>);
      return delivery ? [[id, delivery]] : [];
    }),
  );
}

function parsed({ attempts, last_status, ...rest }: Record<string, string>): CallbackDelivery | undefined {
  const counts = { attempts: Number(attempts), ...(last_status && { last_status: Number(last_status) }) };
  return callbackDelivery.safeParse({ ...rest, ...counts }).data;
}

/** After the last step there is no target any more: a courier that stood still meanwhile must not undo it. */
const NOTE = `
local record, target, ttl, is_last = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
if redis.call('EXISTS', target) == 0 then return end
redis.call('DEL', record)
redis.call('HSET', record, unpack(ARGV, 3))
redis.call('EXPIRE', record, ttl)
if is_last == '1' then redis.call('DEL', target) end`;

/**
 * Writes down how far the telling has come. After its last step the secret is forgotten.
 *
 * @param ttlSeconds how long it can be looked at
 */
export async function writeDelivery(
  redis: Redis,
  jobId: string,
  delivery: CallbackDelivery,
  ttlSeconds: number,
): Promise<void> {
  const isLast = delivery.state === 'delivering' ? '0' : '1';
  const fields = Object.entries(delivery).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value],
  );
  const args = [deliveryKey(jobId), targetKey(jobId), Math.ceil(ttlSeconds), isLast, ...fields];
  await redis.eval(NOTE, 2, ...args);
}

const LOOK = `
local ids = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])
local ended, gone = {}, {}
for _, id in ipairs(ids) do
  local job = '${KEY_PREFIX}:' .. string.sub(id, 1, -34) .. ':' .. id
  if redis.call('HEXISTS', job, 'finishedOn') == 1 then ended[#ended + 1] = id
  elseif redis.call('EXISTS', job) == 0 then gone[#gone + 1] = id end
end
return { #ids, ended, gone }`;

/** Of a page of the jobs whose end is to be handed over: those that have ended, and those that were removed since. */
export interface UntoldPage {
  ended: string[];
  gone: string[];
  /** How many have not ended. */
  unfinished: number;
  isLast: boolean;
}

/** @param from how many to pass over */
export async function readUntold(redis: Redis, courierQueue: string, from: number): Promise<UntoldPage> {
  const page = await redis.eval(LOOK, 1, untoldKey(courierQueue), from, from + PAGE - 1);
  const [seen, ended, gone] = page as [number, string[], string[]];
  return { ended, gone, unfinished: seen - ended.length - gone.length, isLast: seen < PAGE };
}

/** The end of this job was handed over, or there is none to hand over. */
export async function forgetUntold(redis: Redis, courierQueue: string, jobId: string): Promise<void> {
  await redis.zrem(untoldKey(courierQueue), jobId);
}
