/** The executor: configured by its environment, one process, scaled by KEDA. */
import { setFlagsFromString } from 'node:v8';
import { configOrExit } from '../../lib/config/env.ts';
import { armCrashpoints } from '../../lib/crashpoint.ts';
import { discover } from '../../lib/discovery.ts';
import { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import { createLogger } from '../../lib/logger.ts';
import { leaseRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { startSweeper } from '../../lib/queue/sweeper.ts';
import { executorConfig } from './config.ts';
import type { ExecutorState } from './executor-state.ts';
import { healthServer } from './health.ts';
import { Executor } from './lifecycle.ts';
import { ExecutorMetrics } from './metrics.ts';

// The buffers of large messages are garbage that V8 would mark beside other work, so late on a busy machine that a
// flood of them piles up. Marked at once, as this heap is small, they do not.
setFlagsFromString('--no-incremental-marking');

// Kubernetes starts the process anew when what it needs has not come by then.
const START_TIMEOUT_MS = 30_000;
// What an evicted executor has under way is cut off then: Redis or the hub may never answer.
const EVICTED_EXIT_MS = 3_000;

const config = configOrExit(() => executorConfig(process.env));
armCrashpoints(process.env['NOTEBURST_CRASHPOINTS']);
const log = createLogger('executor', config.logLevel, config.prettyLogs);
const lease = leaseRedis(config.lockRedis);
const worker = workerRedis(config.redis);
for (const redis of [lease, worker]) {
  redis.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
}
let executor: Executor | undefined;
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // Not once: a second signal would end the process before it has cleaned up.
  process.on(signal, () => {
    if (stop.signal.aborted) return;
    log.info({ signal }, 'stopping');
    stop.abort(new Error(`stopped by ${signal}`));
    executor?.requestStop();
  });
}
const state = (): ExecutorState => executor?.state ?? 'idle';
const metrics = new ExecutorMetrics();
const health = healthServer(state, metrics);
health.listen(config.port, config.host, () =>
  log.info({ address: health.address(), ms: Math.round(performance.now()) }, 'listening'),
);

try {
  await untilReady(lease, START_TIMEOUT_MS);
  void startSweeper({
    redis: worker,
    queueName: config.queueName,
    retentionSeconds: config.resultRetentionSeconds,
    retentionBytes: config.resultRetentionBytes,
    startWithinSeconds: config.startWithinSeconds,
    log,
    signal: stop.signal,
  });
  const started = AbortSignal.any([stop.signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  const urls = await discover(config.repertoireUrl, started);
  executor = new Executor({
    config,
    hubUrl: urls.hubUrl,
    gafaelfawr: new Gafaelfawr(config.gafaelfawrUrl ?? urls.gafaelfawrUrl, config.adminToken),
    leaseRedis: lease,
    workerRedis: worker,
    store: new ResultStore(worker),
    metrics,
    log,
    onEvicted: () => setTimeout(() => process.exit(1), EVICTED_EXIT_MS).unref(),
  });
  await executor.run();
} catch (error) {
  if (!stop.signal.aborted) {
    log.fatal({ err: error }, 'executor ends');
    process.exitCode = 1;
  }
} finally {
  health.close();
  health.closeAllConnections();
  lease.disconnect();
  worker.disconnect();
}
