import type { Redis } from 'ioredis';

/** What a queue keeps by design; anything else must have a TTL, or it would stay for ever. */
const MAY_STAY =
  /^\{noteburst\}:(bots|epoch:[a-z0-9-]+|[a-z0-9-]+:(meta|events|id|pc|completed|failed|stalled-check|marker|[a-z0-9-]+-[0-9a-f]{32}))$/;

/** Keys that nobody will ever remove, and leases that nobody has given back. */
export async function leftInRedis(redis: Redis): Promise<string[]> {
  const left: string[] = [];
  for (const key of await redis.keys('*')) {
    if ((await redis.ttl(key)) === -1 && !MAY_STAY.test(key)) left.push(`Redis key ${key}`);
    if (key.startsWith('{noteburst}:lease:')) left.push(`lease ${key}`);
  }
  return left;
}
