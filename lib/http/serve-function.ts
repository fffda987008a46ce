import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { configOrExit, type CommonConfig } from '../config/env.ts';
import { createLogger, type Logger } from '../logger.ts';
import { requestRedis } from '../queue/redis.ts';
import type { ApiHandler } from './handler.ts';
import type { BodyRules } from './request-body.ts';
import { functionServer, TIMEOUTS } from './server.ts';

/** What a function is made of. */
export interface FunctionProcess<Config> {
  config: Config;
  /** One that fails fast; it is closed at the end. */
  redis: Redis;
  log: Logger;
  /** Takes faults of a queue's connection, which requests report on their own. */
  onQueueError: (error: Error) => void;
}

export interface RunningFunction {
  handler: ApiHandler;
  bodies?: BodyRules;
  /** Called when no more requests are taken: ends those that only wait. */
  stop?: () => void;
  /** Called when there are none any more. */
  close: () => Promise<void>;
}

// Requests are short; what has not ended by then is cut, so that the pod goes in time.
const DRAIN_MS = 10_000;
const CLOSE_MS = 1_000;

/** The life of a function's process: configured by its environment, serving until SIGTERM, then drained. */
export function serveFunction<Config extends CommonConfig>(
  name: string,
  configOf: (environment: NodeJS.ProcessEnv) => Config,
  make: (parts: FunctionProcess<Config>) => RunningFunction,
): void {
  const config = configOrExit(() => configOf(process.env));
  // The framework and body-parser print errors with what was sent unless the environment says production.
  process.env['NODE_ENV'] = 'production';
  const log = createLogger(name, config.logLevel, config.prettyLogs);
  const redis = requestRedis(config.redis);
  redis.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
  const onQueueError = (error: Error) => log.debug({ err: error }, 'queue connection');
  const running = make({ config, redis, log, onQueueError });
  const ready = async () => redis.status === 'ready' && (await redis.ping()) === 'PONG';
  const isReady = () => ready().catch(() => false);
  const server = functionServer(name, running.handler, isReady, log, TIMEOUTS, running.bodies);
  server.listen(config.port, config.host, () =>
    log.info({ address: server.address(), ms: Math.round(performance.now()) }, 'listening'),
  );

  const stop = async (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    running.stop?.();
    const closed = new Promise((resolve) => server.close(resolve));
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.closeIdleConnections();
    await closed;
    clearTimeout(cut);
    // Without Redis it would wait for it.
    await Promise.race([closeQuietly(log, running.close), sleep(CLOSE_MS)]);
    redis.disconnect();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
}

async function closeQuietly(log: Logger, close: () => Promise<void>): Promise<void> {
  await close().catch((error: unknown) => log.debug({ err: error }, 'closing'));
}
