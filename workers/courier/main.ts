/** The courier: configured by its environment, one process, scaled by KEDA. */
import { configOrExit } from '../../lib/config/env.ts';
import { probeServer } from '../../lib/http/probe-server.ts';
import { createLogger } from '../../lib/logger.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { courierConfig } from './config.ts';
import { Courier } from './courier.ts';
import { CourierMetrics } from './metrics.ts';
import { Outgoing } from './outgoing/outgoing.ts';

const config = configOrExit(() => courierConfig(process.env));
const log = createLogger('courier', config.logLevel, config.prettyLogs);
const redis = workerRedis(config.redis);
redis.on('error', (error: Error) => log.warn({ err: error }, 'Redis connection'));
const metrics = new CourierMetrics();
const outgoing = new Outgoing(config.allowedHosts);
const toGithub = new Outgoing(config.suites?.hosts ?? []);
const suites = { config: config.suites, outgoing: toGithub, reportsUrl: config.reportsUrl };
const courier = new Courier({ config, redis, outgoing, suites, metrics, log });
let isStopping = false;
const probes = probeServer(() => {
  const ready = !isStopping && redis.status === 'ready';
  return { state: isStopping ? 'stopping' : redis.status, live: true, ready };
}, metrics.registry);
probes.listen(config.port, config.host, () =>
  log.info({ address: probes.address(), ms: Math.round(performance.now()) }, 'listening'),
);
courier.start();

async function stop(signal: NodeJS.Signals): Promise<void> {
  // Not once: a second signal would end the process before it has cleaned up.
  if (isStopping) return;
  isStopping = true;
  log.info({ signal }, 'stopping');
  // Redis may not answer: then nothing of what is left would end by itself.
  if (!(await courier.close())) process.exit(1);
  await Promise.all([outgoing.close(), toGithub.close()]);
  redis.disconnect();
  probes.close();
  probes.closeAllConnections();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
