import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { aborted } from '../../lib/abort.ts';
import { POOL_BOTS_KEY } from '../../lib/contract/job-keys.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import type { Backend } from './backend/backend.ts';
import { ExtensionBackend } from './backend/extension-backend.ts';
import { WebsocketBackend } from './backend/websocket-backend.ts';
import { BusyCount } from './busy-count.ts';
import type { ExecutorConfig } from './config.ts';
import type { ExecutorEvent } from './executor-state.ts';
import type { IdentityLease } from './identity/identity-lease.ts';
import { ExecutorStopsError, GiveBackError } from './jobs/errors.ts';
import { NbexecWorker } from './jobs/worker.ts';
import { UnknownKernelError } from './kernel/kernel-error.ts';
import { KernelPool } from './kernel/kernel-pool.ts';
import { isTokenRefusal, NewerEpochError } from './lab/errors.ts';
import { keepAlive } from './lab/keepalive.ts';
import { describeImage } from '../../lib/contract/lab-image.ts';
import { reconcile } from './lab/reconcile.ts';
import { repeat } from './lab/repeat.ts';
import { sessionPathPrefix } from './lab/session-path.ts';
import type { StartedLab } from './lab/start-lab.ts';
import type { ExecutorMetrics } from './metrics.ts';
import { maxMessageBytes } from './notebook/output-budget.ts';
import { runJob } from './run-job.ts';
import { LabWatch } from './lab-watch.ts';

export interface ServeLabParts {
  config: ExecutorConfig;
  started: StartedLab;
  lease: IdentityLease;
  workerRedis: Redis;
  store: ResultStore;
  metrics: Pick<ExecutorMetrics, 'loopBlocks'>;
  /** Aborted when the executor is asked to stop; running notebooks get `graceMs` then. */
  stop: AbortSignal;
  graceMs: number;
  /** Aborted when this lab has served its time, as its token will end; running notebooks get `graceMs` then. */
  tenure: { signal: AbortSignal; graceMs: number };
  /** Between looks for kernels that are not ours. */
  reconcileEveryMs: number;
  /** Told of what happens to the lab, as the executor's state follows from it. */
  on: (event: ExecutorEvent) => void;
  log: Logger;
}

// A result is readable as long as its job, which may be looked at up to its last second.
const RESULT_TTL_MARGIN_SECONDS = 600;

const RECONCILE_TIMEOUT_MS = 10_000;

/**
 * Takes jobs into a lab until the executor is asked to stop, the lease is lost, or the lab is of no more use.
 *
 * @throws what says that the lab's token is refused, once running jobs have been given back; why no kernel was warmed
 */
export async function serveLab(parts: ServeLabParts): Promise<void> {
  const { config, started, lease, stop, tenure, on, log } = parts;
  const lost = new AbortController();
  const backend = newBackend(parts, lost.signal, () => void watch.check());
  const watch = new LabWatch((signal) => backend.ask(() => started.lab.verify(signal)), log);
  for (const signal of [lease.lost, watch.lost]) signal.addEventListener('abort', () => lost.abort());
  const busy = new BusyCount(on);
  const worker = newWorker(parts, backend, watch, busy);
  // Of no more use, or only for another submitter.
  const usedUp = AbortSignal.any([backend.spent, worker.outgrown]);
  const over = AbortSignal.any([stop, tenure.signal, lease.lost, watch.lost, usedUp]);
  const served = new AbortController();
  // At once, or a job that goes back because of the lab would be taken into the same lab again.
  for (const signal of [watch.lost, backend.spent]) {
    signal.addEventListener('abort', () => worker.stopFetching());
  }
  const keepalive = keepAlive({
    setting: config.keepalive,
    touch: (signal) => backend.ask(() => started.lab.listKernels(signal)),
    onFailure: () => void watch.check(),
    signal: AbortSignal.any([over, served.signal]),
  });
  const reconciling = repeat({
    everyMs: parts.reconcileEveryMs,
    timeoutMs: RECONCILE_TIMEOUT_MS,
    call: (signal) => backend.ask(() => removeStrays(parts, signal)),
    onFailure: () => void watch.check(),
    signal: AbortSignal.any([lease.lost, watch.lost, served.signal]),
  });
  try {
    on('fenced');
    await Promise.race([warm(backend, config.warmKernelName, over, log), aborted(over)]);
    if (!over.aborted) {
      // Before any notebook could submit another: what it submits is refused.
      await Promise.race([markAsPoolBot(parts), aborted(over)]);
    }
    if (!over.aborted) {
      await worker.start();
      on('warmed');
      busy.tell();
      log.info({ backend: config.backend, concurrency: config.concurrency }, 'taking jobs');
      await aborted(over);
    }
    busy.mute();
    on('drain');
    await drain(worker, parts, watch.lost, usedUp);
  } finally {
    served.abort();
    await Promise.all([keepalive, reconciling]);
    await worker.close();
    await backend.close();
    watch.close();
  }
  if (isTokenRefusal(watch.lost.reason)) throw watch.lost.reason;
}

const markAsPoolBot = ({ workerRedis, lease }: ServeLabParts): Promise<number> =>
  workerRedis.sadd(POOL_BOTS_KEY, lease.identity.username);

/** Deletes kernels that are not ours; gives the lease up at once where they are a newer holder's. */
async function removeStrays({ started, lease, log }: ServeLabParts, signal: AbortSignal): Promise<void> {
  try {
    const { sessions, kernelIds } = await reconcile(started.lab, lease.epoch, signal);
    if (sessions.length + kernelIds.length === 0) return;
    const paths = sessions.map((session) => session.path);
    log.warn({ paths, kernels: kernelIds.length }, 'deleted kernels that are not ours');
  } catch (error) {
    if (!(error instanceof NewerEpochError)) throw error;
    lease.evict('newer_epoch', error.message);
  }
}

/** Without a warm kernel the first job would find out what is wrong, and pay for it. */
async function warm(backend: Backend, kernelName: string, signal: AbortSignal, log: Logger): Promise<void> {
  try {
    await backend.warm(kernelName, signal);
  } catch (error) {
    if (!(error instanceof UnknownKernelError)) throw error;
    log.warn({ err: error }, 'no kernel was warmed: check NOTEBURST_WORKER_WARM_KERNEL');
  }
}

/** @param onCut told when the lab may be gone, as a kernel's connection was cut */
function newBackend(
  { config, started, lease, log }: ServeLabParts,
  labLost: AbortSignal,
  onCut: () => void,
): Backend {
  if (config.backend === 'extension') return new ExtensionBackend(started.rubinExecution);
  return new WebsocketBackend(
    new KernelPool({
      host: started.lab,
      sessionPathPrefix: sessionPathPrefix(lease.epoch),
      size: config.concurrency,
      maxKernels: config.maxKernels,
      limits: { maxMessageBytes: maxMessageBytes(config.outputLimits) },
      labLost,
      onCut,
      onBackgroundError: (error) => log.warn({ err: error }, 'kernel pool'),
    }),
    config.outputLimits,
    () => lease.assertHeld(),
  );
}

function newWorker(parts: ServeLabParts, backend: Backend, watch: LabWatch, busy: BusyCount): NbexecWorker {
  const { config, lease, store, workerRedis, metrics, log } = parts;
  const assertHeld = () => lease.assertHeld();
  const resultTtlSeconds = config.resultRetentionSeconds + RESULT_TTL_MARGIN_SECONDS;
  const { startWithinSeconds } = config;
  const environment = {
    image: describeImage(config.image),
    executor: hostname(),
    lab: lease.identity.username,
  };
  return new NbexecWorker({
    queueName: config.queueName,
    redis: workerRedis,
    concurrency: config.concurrency,
    lockMs: config.lockMs,
    isolation: config.isolation,
    vacated: () => backend.vacated(),
    onLoopBlocked: () => metrics.loopBlocks.inc(),
    run: async (job) => {
      const runParts = { backend, store, startWithinSeconds, resultTtlSeconds, environment, assertHeld };
      const outcome = await busy.during(() => runJob(job, runParts));
      watch.worked();
      return outcome;
    },
    assertHeld,
    // A lab that is spent is replaced anyway, and may not answer.
    onTrouble: async (why) => {
      if (!backend.spent.aborted) await watch.failed(why);
    },
    log,
  });
}

/** Asked to stop, running notebooks get a grace; without lab or lease there is nothing to wait for. */
async function drain(
  worker: NbexecWorker,
  { lease, stop, graceMs, tenure }: ServeLabParts,
  labLost: AbortSignal,
  usedUp: AbortSignal,
): Promise<void> {
  const stops = new ExecutorStopsError('The executor stops');
  const ways: [AbortSignal, () => Promise<void>][] = [
    [lease.lost, () => worker.drain(0, lease.lost.reason as Error)],
    [labLost, () => worker.drain(0, new GiveBackError('The lab is lost', { cause: labLost.reason }))],
    [stop, () => worker.drain(graceMs, stops)],
    [tenure.signal, () => worker.drain(tenure.graceMs, stops)],
    [usedUp, () => worker.drain(graceMs, stops)],
  ];
  // While one waits for running notebooks to end, another may cut that short.
  await Promise.race(ways.map(([signal, drainNow]) => aborted(signal).then(drainNow)));
}
