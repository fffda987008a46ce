import { Redis, type RedisOptions } from 'ioredis';

/**
 * The clients of Redis that the service uses, one kind for each way a fault must show. All of them connect at
 * once and reconnect for ever with a short backoff.
 */
const RECONNECT = {
  retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
  connectTimeout: 5_000,
  noDelay: true,
} satisfies RedisOptions;

/** For a function's request: fails at once when Redis is away, so that the caller gets its 503 and can try again. */
export function requestRedis(url: string): Redis {
  return new Redis(url, {
    ...RECONNECT,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 5_000,
    connectionName: 'noteburst-request',
  });
}

/** For BullMQ's worker: waits for Redis as long as it takes. Blocking commands forbid a command timeout. */
export function workerRedis(url: string): Redis {
  return new Redis(url, { ...RECONNECT, maxRetriesPerRequest: null, connectionName: 'noteburst-worker' });
}

/** For watching jobs: waits for Redis as long as it takes; whoever waits brings a time limit. */
export function watchRedis(url: string): Redis {
  return new Redis(url, { ...RECONNECT, maxRetriesPerRequest: null, connectionName: 'noteburst-watch' });
}

/**
 * For leases: an answer that comes late is worth nothing, and a command must never be sent a second time behind
 * the caller's back, as the time it was sent at is what the lease's deadline counts from.
 */
export function leaseRedis(url: string): Redis {
  return new Redis(url, {
    ...RECONNECT,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 3_000,
    connectionName: 'noteburst-lease',
  });
}

/** Waits until the client can take commands: `enableOfflineQueue: false` fails those sent before. */
export async function untilReady(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(new Error(`Redis did not become ready within ${timeoutMs} ms`)),
    timeoutMs,
  );
  redis.once('ready', resolve);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve);
  }
}
