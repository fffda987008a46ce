import type { Redis } from 'ioredis';
import type { Pool, Pools } from '../../lib/contract/pool.ts';
import type { RedisSetup } from '../../lib/config/redis-env.ts';
import { CallerCheck } from '../../lib/http/caller.ts';
import { PoolQueues } from '../../lib/queue/pool-queues.ts';
import { JobWatch } from '../../lib/queue/job-watch.ts';
import { readEvents } from '../../lib/queue/live-events.ts';
import { Admission } from '../../lib/queue/admission.ts';
import { NbexecQueue, type JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { requestRedis, untilReady, watchRedis } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { statusHandler } from '../../functions/status/status.ts';
import { submitHandler } from '../../functions/submit/submit.ts';
import {
  API_URL,
  PATH_PREFIX,
  SCOPE,
  serve,
  STREAM,
  tokenCheck,
  type TestServer,
} from './function-server.ts';
import { onePool } from './one-pool.ts';

export interface Functions {
  submit: TestServer;
  status: TestServer;
  redis: Redis;
  watch: JobWatch;
  queueName: string;
  store: ResultStore;
}

/** Both functions as their processes make them, on one Redis, until the stack is disposed of. */
export async function functionsOn(
  redisSetup: RedisSetup | string,
  queueName: string,
  stack: AsyncDisposableStack,
  maxJobsPerCaller = 100,
  otherPools: readonly Pool[] = [],
  courierQueue = `courier-${queueName}`,
): Promise<Functions> {
  const redis = requestRedis(redisSetup);
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  await untilReady(redis, 5_000);
  const pools: Pools = [...onePool(queueName), ...otherPools];
  const queue = new PoolQueues(pools, (name) => new NbexecQueue(name, redis, 60, () => undefined));
  stack.defer(() => queue.close());
  const store = new ResultStore(redis);
  const watch = new JobWatch(() => watchRedis(redisSetup).on('error', () => undefined), 10);
  stack.defer(() => watch.close());
  const parts = {
    callers: new CallerCheck(tokenCheck, SCOPE),
    admission: new Admission(redis, { maxJobsPerCaller, ttlSeconds: 120 }),
    queue,
    store,
    live: {
      watch,
      events: (jobId: string, afterId: string) => readEvents(redis, jobId, afterId, 100),
      cancel: (job: JobSnapshot) => queue.cancel(job),
    },
    readers: new Set<string>(),
    pools,
    pathPrefix: PATH_PREFIX,
    apiUrl: API_URL,
    maxTimeoutSeconds: 3_600,
    sourceTtlSeconds: 120,
    allowedHosts: [{ name: '*', port: 443, isInternal: false }],
    courierQueue,
  };
  const submit = stack.use(await serve(submitHandler(parts)));
  const status = stack.use(await serve(statusHandler({ ...parts, ...STREAM })));
  return { submit, status, redis, watch, queueName, store };
}
