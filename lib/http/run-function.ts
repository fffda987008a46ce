import { setTimeout as sleep } from 'node:timers/promises';
import { configOrExit } from '../config/env.ts';
import { functionConfig, type FunctionConfig } from '../config/functions.ts';
import { discover } from '../discovery.ts';
import { tokenInfo } from '../gafaelfawr.ts';
import { createLogger, type Logger } from '../logger.ts';
import { Admission } from '../queue/admission.ts';
import { NbexecQueue } from '../queue/nbexec-queue.ts';
import { PoolQueues } from '../queue/pool-queues.ts';
import { JobWatch } from '../queue/job-watch.ts';
import { readEvents } from '../queue/live-events.ts';
import { requestRedis, watchRedis } from '../queue/redis.ts';
import { ResultStore } from '../queue/result-store.ts';
import { CallerCheck } from './caller.ts';
import type { ApiHandler } from './handler.ts';
import { functionServer } from './server.ts';

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

// Requests are short; what has not ended by then is cut, so that the pod goes in time.
const DRAIN_MS = 10_000;
const CLOSE_MS = 1_000;

/** The life of a function's process: configured by its environment, serving until SIGTERM, then drained. */
export function runFunction(name: string, handlerOf: (parts: FunctionParts) => ApiHandler): void {
  const config = configOrExit(() => functionConfig(process.env));
  // The framework and body-parser print errors with what was sent unless the environment says production.
  process.env['NODE_ENV'] = 'production';
  const log = createLogger(name, config.logLevel, config.prettyLogs);
  const redis = requestRedis(config.redis);
  redis.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
  const onError = (error: Error) => log.debug({ err: error }, 'queue connection');
  const queueOf = (name: string) => new NbexecQueue(name, redis, config.resultRetentionSeconds, onError);
  const queue = new PoolQueues(config.pools, queueOf);
  const watch = new JobWatch(() => {
    const connection = watchRedis(config.redis);
    connection.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
    return connection;
  }, config.maxWatchers);
  const parts: FunctionParts = {
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
  };
  const ready = async () => redis.status === 'ready' && (await redis.ping()) === 'PONG';
  const server = functionServer(name, handlerOf(parts), () => ready().catch(() => false), log);
  server.listen(config.port, config.host, () =>
    log.info({ address: server.address(), ms: Math.round(performance.now()) }, 'listening'),
  );

  const stop = async (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    watch.close();
    const closed = new Promise((resolve) => server.close(resolve));
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.closeIdleConnections();
    await closed;
    clearTimeout(cut);
    // Without Redis it would wait for it.
    await Promise.race([closeQuietly(log, () => queue.close()), sleep(CLOSE_MS)]);
    redis.disconnect();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
}

function tokenCheck(config: FunctionConfig) {
  let found: Promise<string> | undefined;
  const gafaelfawrUrl = async () => {
    if (config.gafaelfawrUrl !== undefined) return config.gafaelfawrUrl;
    // One discovery for the life of the process, tried anew when it failed.
    found ??= discover(config.repertoireUrl as string, AbortSignal.timeout(10_000)).then(
      (urls) => urls.gafaelfawrUrl,
    );
    found.catch(() => (found = undefined));
    return found;
  };
  return async (token: string, signal: AbortSignal) => tokenInfo(await gafaelfawrUrl(), token, signal);
}

async function closeQuietly(log: Logger, close: () => Promise<void>): Promise<void> {
  await close().catch((error: unknown) => log.debug({ err: error }, 'closing'));
}
