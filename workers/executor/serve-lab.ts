import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import type { Logger } from '../../lib/logger.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import type { ExecutorConfig } from './config.ts';
import type { IdentityLease } from './identity/identity-lease.ts';
import { UnknownKernelError } from './kernel/kernel-error.ts';
import { KernelPool } from './kernel/kernel-pool.ts';
import { keepAlive } from './lab/keepalive.ts';
import { describeImage } from './lab/lab-image.ts';
import type { StartedLab } from './lab/start-lab.ts';
import { runJob } from './run-job.ts';
import { LabWatch } from './lab-watch.ts';
import { ExecutorStopsError, GiveBackError, NbexecWorker } from './worker.ts';

export type ServingState = 'warming' | 'ready' | 'draining';

export interface ServeLabParts {
  config: ExecutorConfig;
  started: StartedLab;
  lease: IdentityLease;
  workerRedis: Redis;
  store: ResultStore;
  /** Aborted when the executor is asked to stop, or this lab has served its time. */
  stop: AbortSignal;
  /** What running notebooks get then. */
  graceMs: number;
  enter: (state: ServingState) => void;
  log: Logger;
}

// A result is readable as long as its job, which may be looked at up to its last second.
const RESULT_TTL_MARGIN_SECONDS = 600;

/** Takes jobs into a lab until the executor is asked to stop, the lease is lost, or the lab is of no more use. */
export async function serveLab(parts: ServeLabParts): Promise<void> {
  const { config, started, lease, stop, enter, log } = parts;
  const watch = new LabWatch((signal) => started.lab.verify(signal), log);
  const over = AbortSignal.any([stop, lease.lost, watch.lost]);
  const served = new AbortController();
  const pool = new KernelPool({
    host: started.lab,
    sessionPathPrefix: `noteburst/${lease.epoch}/`,
    size: config.concurrency,
    // Warm ones for the next jobs beside those that run.
    maxKernels: 2 * config.concurrency,
    onBackgroundError: (error) => log.warn({ err: error }, 'kernel pool'),
  });
  const worker = newWorker(parts, pool, watch);
  // At once, or a job that goes back because of the lab would be taken into the same lab again.
  watch.lost.addEventListener('abort', () => worker.stopFetching());
  const keepalive = keepAlive({
    setting: config.keepalive,
    touch: (signal) => started.lab.listKernels(signal),
    onFailure: () => void watch.check(),
    signal: AbortSignal.any([over, served.signal]),
  });
  try {
    enter('warming');
    await Promise.race([warm(pool, config.warmKernelName, over, log), aborted(over)]);
    if (!over.aborted) {
      await worker.start();
      enter('ready');
      await aborted(over);
    }
    enter('draining');
    await drain(worker, parts, watch.lost);
  } finally {
    served.abort();
    await keepalive;
    await worker.close();
    await pool.close();
  }
}

/** Without a warm kernel the first job would find out what is wrong, and pay for it. */
async function warm(pool: KernelPool, kernelName: string, signal: AbortSignal, log: Logger): Promise<void> {
  try {
    await pool.warm(kernelName, signal);
  } catch (error) {
    if (!(error instanceof UnknownKernelError)) throw error;
    log.warn({ err: error }, 'no kernel was warmed: check NOTEBURST_WORKER_WARM_KERNEL');
  }
}

function newWorker(parts: ServeLabParts, pool: KernelPool, watch: LabWatch): NbexecWorker {
  const { config, lease, store, workerRedis, log } = parts;
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
    run: async (job) => {
      const outcome = await runJob(job, {
        pool,
        store,
        startWithinSeconds,
        resultTtlSeconds,
        environment,
        assertHeld,
      });
      watch.worked();
      return outcome;
    },
    assertHeld,
    onTrouble: () => watch.failed(),
    log,
  });
}

/** Asked to stop, running notebooks get the grace; without lab or lease there is nothing to wait for. */
async function drain(worker: NbexecWorker, parts: ServeLabParts, labLost: AbortSignal): Promise<void> {
  const { graceMs, lease } = parts;
  const hurry = () => void worker.drain(0, lease.lost.reason as Error);
  lease.lost.addEventListener('abort', hurry, { once: true });
  if (lease.lost.aborted) await worker.drain(0, lease.lost.reason as Error);
  else if (labLost.aborted)
    await worker.drain(0, new GiveBackError('The lab is lost', { cause: labLost.reason }));
  else await worker.drain(graceMs, new ExecutorStopsError('The executor stops'));
  lease.lost.removeEventListener('abort', hurry);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
