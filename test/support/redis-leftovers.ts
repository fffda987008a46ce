import type { Redis } from 'ioredis';
import { POOL_BOTS_KEY } from '../../lib/contract/job-keys.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';

/** What BullMQ keeps of a queue for ever: of bounded size, apart from the ended jobs that a sweep removes. */
const OF_A_QUEUE = ['meta', 'id', 'pc', 'events', 'marker', 'completed', 'failed'];

/**
 * What should not be in Redis once every job has ended and every executor has gone: keys that would stay for ever,
 * other than those that the service means to keep, and keys outside of the hash tag. Sorted.
 */
export async function unexpectedKeys(redis: Redis, queueNames: readonly string[]): Promise<string[]> {
  const expected = new Set<string>();
  for (const queueName of queueNames) {
    const key = (name: string) => `${KEY_PREFIX}:${queueName}:${name}`;
    const ended = await Promise.all(['completed', 'failed'].map((set) => redis.zrange(key(set), '0', '-1')));
    for (const name of [...OF_A_QUEUE, ...ended.flat()]) expected.add(key(name));
  }
  const unexpected: string[] = [];
  for (const key of await redis.keys('*')) {
    const meant = key === POOL_BOTS_KEY || key.startsWith(`${KEY_PREFIX}:epoch:`);
    const kept = meant || expected.has(key) || (await redis.pttl(key)) >= 0;
    if (!kept || !key.startsWith(`${KEY_PREFIX}:`)) unexpected.push(key);
  }
  return unexpected.toSorted();
}
