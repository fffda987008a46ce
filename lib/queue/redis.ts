import { Redis, type RedisOptions } from 'ioredis';
import type { RedisSetup } from '../config/redis-env.ts';

/** Replies come as ioredis has them by default. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/**
 * The clients of Redis that the service uses, one kind for each way a fault must show. All of them connect at
 * once and reconnect for ever with a short backoff. `socketTimeout` gives up a connection on which nothing has come
 * for as long while an answer was awaited: the other side may be gone without a word.
 */
const CONNECTION = {
  retryStrategy: backoffMs,
  connectTimeout: 5_000,
  noDelay: true,
  reconnectOnError: isReadOnly,
} satisfies Options;

/**
 * For those that wait. It is longer than any blocking command of BullMQ's (10 s), and short enough that a job's lock
 * that is renewed every 10 s is renewed once more, on a new connection, before the executor gives it up after 25 s.
 */
const PATIENT_SOCKET_MS = 12_000;

function connect(redis: RedisSetup | string, options: Options): Redis {
  const { url, sentinel, ca }: RedisSetup = typeof redis === 'string' ? { url: redis } : redis;
  const tls = url.startsWith('rediss://') ? { ...(ca !== undefined && { ca }) } : undefined;
  return new Redis(url, {
    ...CONNECTION,
    ...(tls && { tls }),
    ...(sentinel && throughSentinels(sentinel, tls)),
    ...options,
  });
}

/** The master is asked for with each new connection. */
function throughSentinels(
  { nodes, masterName, password }: NonNullable<RedisSetup['sentinel']>,
  tls: Options['tls'],
): Options {
  return {
    sentinels: nodes,
    name: masterName,
    ...(password && { sentinelPassword: password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    sentinelCommandTimeout: 2_000,
    sentinelRetryStrategy: backoffMs,
  };
}

/** A master that was made a replica refuses all that writes: the new one is to be looked for. */
function isReadOnly(error: Error): boolean {
  return error.message.includes('READONLY');
}

function backoffMs(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 6), 2_000);
}

/** For a function's request: fails at once when Redis is away, so that the caller gets its 503 and can try again. */
export function requestRedis(redis: RedisSetup | string): Redis {
  return connect(redis, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 5_000,
    socketTimeout: 5_000,
    connectionName: 'noteburst-request',
  });
}

/** For BullMQ's worker: waits for Redis as long as it takes. Blocking commands forbid a command timeout. */
export function workerRedis(redis: RedisSetup | string): Redis {
  return connect(redis, {
    // What was refused is sent again.
    reconnectOnError: (error) => isReadOnly(error) && 2,
    maxRetriesPerRequest: null,
    socketTimeout: PATIENT_SOCKET_MS,
    connectionName: 'noteburst-worker',
  });
}

/** For watching jobs: waits for Redis as long as it takes; whoever waits brings a time limit. */
export function watchRedis(redis: RedisSetup | string): Redis {
  return connect(redis, {
    maxRetriesPerRequest: null,
    socketTimeout: PATIENT_SOCKET_MS,
    connectionName: 'noteburst-watch',
  });
}

/**
 * For leases: an answer that comes late is worth nothing, and a command must never be sent a second time behind
 * the caller's back, as the time it was sent at is what the lease's deadline counts from.
 */
export function leaseRedis(redis: RedisSetup | string): Redis {
  return connect(redis, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 3_000,
    socketTimeout: 3_000,
    connectionName: 'noteburst-lease',
  });
}

/** A failover might lose what was written. */
export class NotReplicatedError extends Error {
  override readonly name = 'NotReplicatedError';
}

const REPLICATED_WITHIN_MS = 1_000;

/**
 * With sentinels, resolves when a replica has what was written too: what only the master has is lost when it is replaced.
 *
 * @param write writes with this client
 * @throws {NotReplicatedError} when no replica has it in time, or nobody can tell
 */
export async function replicated<T>(redis: Redis, write: () => Promise<T>): Promise<T> {
  if (!redis.options.sentinels) return write();
  const { stream } = redis;
  const result = await write();
  const replicas = await redis.wait(1, REPLICATED_WITHIN_MS);
  // Redis answers for the connection that it is asked on.
  if (redis.stream !== stream) throw new NotReplicatedError('The connection was lost while it was written');
  if (replicas === 0) throw new NotReplicatedError(`No replica had it within ${REPLICATED_WITHIN_MS} ms`);
  return result;
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
