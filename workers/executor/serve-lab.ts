import type { Redis } from 'ioredis';
import type { Logger } from '../../lib/logger.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import type { ExecutorConfig } from './config.ts';
import type { IdentityLease } from './identity/identity-lease.ts';
import { KernelPool } from './kernel/kernel-pool.ts';
import { keepAlive } from './lab/keepalive.ts';
import type { StartedLab } from './lab/start-lab.ts';
import { runJob } from './run-job.ts';
import { GiveBackError, NbexecWorker } from './worker.ts';

export type ServingState = 'warming' | 'ready' | 'draining';

export interface ServeLabParts {
  config: ExecutorConfig;
  started: StartedLab;
  lease: IdentityLease;
  workerRedis: Redis;
  store: ResultStore;
  /** Aborted when the executor is asked to stop. */
  stop: AbortSignal;
  enter: (state: ServingState) => void;
  log: Logger;
}

const VERIFY_TIMEOUT_MS = 30_000;
// A result is readable as long as its job, which may be looked at up to its last second.
const RESULT_TTL_MARGIN_SECONDS = 600;

/** Takes jobs into a lab until the executor is asked to stop, the lease is lost, or the lab is of no more use. */
export async function serveLab(parts: ServeLabParts): Promise<void> {
  const { config, started, lease, stop, enter, log } = parts;
  const labLost = new AbortController();
  const over = AbortSignal.any([stop, lease.lost, labLost.signal]);
  const pool = new KernelPool({
    host: started.lab,
    sessionPathPrefix: `noteburst/${lease.epoch}/`,
    size: config.concurrency,
    // Warm ones for the next jobs beside those that run.
    maxKernels: 2 * config.concurrency,
    onBackgroundError: (error) => log.warn({ err: error }, 'kernel pool'),
  });
  const verify = async () => {
    await verifyLab(started, labLost, log);
    // At once, or a job that goes back because of the lab would be taken into the same lab again.
    if (labLost.signal.aborted) worker.stopFetching();
  };
  const worker = newWorker(parts, pool, verify);
  const keepalive = keepAlive({
    setting: config.keepalive,
    touch: (signal) => started.lab.listKernels(signal),
    onFailure: () => void verify(),
    signal: over,
  });
  try {
    enter('warming');
    await pool
      .warm(config.warmKernelName, over)
      .catch((error: unknown) => log.warn({ err: error }, 'no kernel was warmed'));
    if (!over.aborted) {
      await worker.start();
      enter('ready');
      await aborted(over);
    }
    enter('draining');
    await drain(worker, parts, labLost.signal);
  } finally {
    await keepalive;
    await worker.close();
    await pool.close();
  }
}

function newWorker(parts: ServeLabParts, pool: KernelPool, verify: () => Promise<void>): NbexecWorker {
  const { config, lease, store, workerRedis, log } = parts;
  const assertHeld = () => lease.assertHeld();
  const resultTtlSeconds = config.resultRetentionSeconds + RESULT_TTL_MARGIN_SECONDS;
  const { startWithinSeconds } = config;
  return new NbexecWorker({
    queueName: config.queueName,
    redis: workerRedis,
    concurrency: config.concurrency,
    lockMs: config.lockMs,
    run: (job) => runJob(job, { pool, store, startWithinSeconds, resultTtlSeconds, assertHeld }),
    assertHeld,
    onTrouble: verify,
    log,
  });
}

/** Asked to stop, running notebooks get the grace; without lab or lease there is nothing to wait for. */
async function drain(worker: NbexecWorker, parts: ServeLabParts, labLost: AbortSignal): Promise<void> {
  const { config, lease } = parts;
  const hurry = () => void worker.drain(0, lease.lost.reason as Error);
  lease.lost.addEventListener('abort', hurry, { once: true });
  if (lease.lost.aborted) await worker.drain(0, lease.lost.reason as Error);
  else if (labLost.aborted)
    await worker.drain(0, new GiveBackError('The lab is lost', { cause: labLost.reason }));
  else await worker.drain(config.graceMs, new GiveBackError('The executor stops'));
  lease.lost.removeEventListener('abort', hurry);
}

/** Finds out whether the lab is still ours and alive; if not, everything in it is over. */
async function verifyLab(started: StartedLab, labLost: AbortController, log: Logger): Promise<void> {
  try {
    await started.lab.verify(AbortSignal.timeout(VERIFY_TIMEOUT_MS));
  } catch (error) {
    if (labLost.signal.aborted) return;
    log.warn({ err: error }, 'the lab is lost, another one will be spawned');
    labLost.abort(error);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
