import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, vi } from 'vitest';
import { POOL_BOTS_KEY } from '../../lib/contract/job-keys.ts';
import { suitesQueueOf } from '../../lib/contract/courier-job.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';

/** What one test file has of the run's Redis: a database of its own, as files may run at the same time. */
export interface RedisOfFile {
  url: string;
  /** For the tests' own looks and tricks. */
  redis: Redis;
  newQueueName(): string;
}

/** To be called once in a file; fails it when it leaves behind connections, or keys that would stay for ever. */
export async function redisOfFile(): Promise<RedisOfFile> {
  const queueNames: string[] = [];
  const db = await nextDatabase();
  const url = inject('redisUrl').replace(/\d+$/, String(db));
  const redis = new Redis(url, { lazyConnect: true });
  const newQueueName = () => {
    const name = `q${randomBytes(6).toString('hex')}`;
    queueNames.push(name);
    return name;
  };

  beforeAll(() => redis.flushdb());
  afterAll(async () => {
    try {
      // Redis may hear of a closed connection a moment later.
      await vi.waitFor(async () => expect(await clientsIn(redis, db)).toHaveLength(1), { timeout: 3_000 });
      expect(await keysForEver(redis, queueNames)).toEqual([]);
    } finally {
      redis.disconnect();
    }
  });
  return { url, redis, newQueueName };
}

/** Redis has 16; the first one counts the files, the others go round. */
async function nextDatabase(): Promise<number> {
  const redis = new Redis(inject('redisUrl'));
  try {
    return 1 + ((await redis.incr('files')) % 15);
  } finally {
    redis.disconnect();
  }
}

async function clientsIn(redis: Redis, db: number): Promise<string[]> {
  const list = (await redis.client('LIST')) as string;
  return list
    .trim()
    .split('\n')
    .filter((line) => line.includes(` db=${db} `));
}

/** Keys without TTL, other than BullMQ's own of the file's queues and the fencing epochs. */
async function keysForEver(redis: Redis, queueNames: string[]): Promise<string[]> {
  const couriers = queueNames.map((name) => `courier-${name}`);
  const names = [...queueNames, ...[...queueNames, ...couriers].map(suitesQueueOf), ...couriers, 'epoch'];
  const expected = [...names.map((name) => `${KEY_PREFIX}:${name}:`), POOL_BOTS_KEY];
  const found: string[] = [];
  for (const key of await redis.keys('*')) {
    if (expected.some((prefix) => key.startsWith(prefix))) continue;
    if ((await redis.pttl(key)) === -1) found.push(key);
  }
  return found;
}
