/** The executor: configured by its environment, one process, scaled by KEDA. */
import { configOrExit } from '../../lib/config/env.ts';
import { discover } from '../../lib/discovery.ts';
import { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import { createLogger } from '../../lib/logger.ts';
import { leaseRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { executorConfig } from './config.ts';
import { healthServer } from './health.ts';
import { Executor } from './lifecycle.ts';

const config = configOrExit(() => executorConfig(process.env));
const log = createLogger('executor', config.logLevel, config.prettyLogs);

// Kubernetes starts the process anew when what it needs has not come by then.
const REDIS_TIMEOUT_MS = 30_000;

const urls = await discover(config.repertoireUrl, AbortSignal.timeout(30_000));
const lease = leaseRedis(config.lockRedisUrl);
const worker = workerRedis(config.redisUrl);
for (const redis of [lease, worker]) {
  redis.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
}
await untilReady(lease, REDIS_TIMEOUT_MS);
const executor = new Executor({
  config,
  hubUrl: urls.hubUrl,
  gafaelfawr: new Gafaelfawr(config.gafaelfawrUrl ?? urls.gafaelfawrUrl, config.adminToken),
  leaseRedis: lease,
  workerRedis: worker,
  store: new ResultStore(worker),
  log,
});
const health = healthServer(() => executor.state);
health.listen(config.port, config.host, () => log.info({ address: health.address() }, 'listening'));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'stopping');
    executor.requestStop();
  });
}

try {
  await executor.run();
} catch (error) {
  log.fatal({ err: error }, 'executor ends');
  process.exitCode = 1;
} finally {
  health.close();
  health.closeAllConnections();
  lease.disconnect();
  worker.disconnect();
}
