import { functionConfig, type FunctionConfig } from '../config/functions.ts';
import { Admission } from '../queue/admission.ts';
import { NbexecQueue } from '../queue/nbexec-queue.ts';
import { PoolQueues } from '../queue/pool-queues.ts';
import { JobWatch } from '../queue/job-watch.ts';
import { readEvents } from '../queue/live-events.ts';
import { watchRedis } from '../queue/redis.ts';
import { ResultStore } from '../queue/result-store.ts';
import { CallerCheck } from './caller.ts';
import type { ApiHandler } from './handler.ts';
import { serveFunction } from './serve-function.ts';
import { tokenCheck } from './token-check.ts';

/** What every function has at hand. */
export interface FunctionParts {
  config: FunctionConfig;
  callers: CallerCheck;
  admission: Admission;
  queue: PoolQueues;
  store: ResultStore;
  live: LiveParts;
}

/** What following, waiting for and cancelling jobs needs. */
export interface LiveParts {
  watch: Pick<JobWatch, 'watch'>;
  /** Reads a page of what happened to a job. */
  events: (jobId: string, afterId: string) => ReturnType<typeof readEvents>;
  cancel: PoolQueues['cancel'];
}

const EVENTS_PAGE = 100;

/** The life of submit and status. */
export function runFunction(name: string, handlerOf: (parts: FunctionParts) => ApiHandler): void {
  serveFunction(name, functionConfig, ({ config, redis, log, onQueueError }) => {
    const queueOf = (name: string) =>
      new NbexecQueue(name, redis, config.resultRetentionSeconds, onQueueError);
    const queue = new PoolQueues(config.pools, queueOf);
    const watch = new JobWatch(() => {
      const connection = watchRedis(config.redis);
      connection.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
      return connection;
    }, config.maxWatchers);
    const handler = handlerOf({
      config,
      live: {
        watch,
        events: (jobId, afterId) => readEvents(redis, jobId, afterId, EVENTS_PAGE),
        cancel: (job) => queue.cancel(job),
      },
      queue,
      admission: new Admission(redis, {
        maxJobsPerCaller: config.maxJobsPerCaller,
        ttlSeconds: config.sourceTtlSeconds,
      }),
      store: new ResultStore(redis),
      callers: new CallerCheck(tokenCheck(config), config.requiredScope),
    });
    return { handler, stop: () => watch.close(), close: () => queue.close() };
  });
}
