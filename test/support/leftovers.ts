import type { Redis } from 'ioredis';
import { POOL_BOTS_KEY } from '../../lib/contract/job-keys.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';

/** What BullMQ keeps of a queue for ever: of bounded size, apart from the ended jobs that a sweep removes. */
const OF_A_QUEUE = ['meta', 'id', 'pc', 'events', 'marker', 'completed', 'failed'];

/**
 * What should not be in Redis once every job has ended and every executor has gone: keys that would stay for ever, other
 * than those that the service means to keep, keys outside of the hash tag, and leases. Sorted.
 */
export async function leftInRedis(redis: Redis): Promise<string[]> {
  const keys = await redis.keys('*');
  const meant = new Set([POOL_BOTS_KEY]);
  for (const queue of keys.flatMap((key) => /^(.+):meta$/.exec(key)?.[1] ?? [])) {
    const ended = await Promise.all(
      ['completed', 'failed'].map((set) => redis.zrange(`${queue}:${set}`, '0', '-1')),
    );
    for (const name of [...OF_A_QUEUE, ...ended.flat()]) meant.add(`${queue}:${name}`);
  }
  const left: string[] = [];
  for (const key of keys) {
    const isKept = meant.has(key) || key.startsWith(`${KEY_PREFIX}:epoch:`) || (await redis.pttl(key)) !== -1;
    const isLease = key.startsWith(`${KEY_PREFIX}:lease:`);
    if (!isKept || isLease || !key.startsWith(`${KEY_PREFIX}:`)) left.push(key);
  }
  return left.toSorted();
}
