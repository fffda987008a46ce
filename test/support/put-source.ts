import type { Redis } from 'ioredis';
import { ResultStore } from '../../lib/queue/result-store.ts';

/** Writes a submitted notebook without its job, or before it. */
export async function putSource(redis: Redis, jobId: string, ipynb: string, ttlSeconds = 60): Promise<void> {
  const { command, key, args } = await new ResultStore(redis).sourceWrite(jobId, ipynb, ttlSeconds);
  await redis.call(command, key, ...args);
}
