import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { tokenKey, type Gafaelfawr } from '../../lib/gafaelfawr.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import type { ExecutorConfig } from './config.ts';
import { acquireLease, leaseTimings, LeaseLostError, type IdentityLease } from './identity/identity-lease.ts';
import { KernelPool } from './kernel/kernel-pool.ts';
import { keepAlive } from './lab/keepalive.ts';
import { startLab, stopLeftoverLab, type LabAccess, type StartedLab } from './lab/start-lab.ts';
import { runJob } from './run-job.ts';
import { GiveBackError, NbexecWorker } from './worker.ts';

/**
 * idle → acquiring → fencing → warming → ready → draining → stopping → released; from any, evicted.
 * Only in `ready` are jobs taken.
 */
export type ExecutorState =
  | 'idle'
  | 'acquiring'
  | 'waiting'
  | 'fencing'
  | 'warming'
  | 'ready'
  | 'draining'
  | 'stopping'
  | 'released'
  | 'evicted';

export interface ExecutorParts {
  config: ExecutorConfig;
  hubUrl: string;
  gafaelfawr: Gafaelfawr;
  leaseRedis: Redis;
  workerRedis: Redis;
  store: ResultStore;
  log: Logger;
}

const STEP_TIMEOUT_MS = 30_000;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;
// A result is readable as long as its job, which may be looked at up to its last second.
const RESULT_TTL_MARGIN_SECONDS = 600;

/** The life of an executor: one identity, one lab at a time, jobs in between. */
export class Executor {
  readonly #parts: ExecutorParts;
  readonly #stop = new AbortController();
  #state: ExecutorState = 'idle';

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  get state(): ExecutorState {
    return this.#state;
  }

  /** Begins the way out: no more jobs are taken, running ones get the grace. */
  requestStop(): void {
    this.#stop.abort(new Error('The executor was asked to stop'));
  }

  /**
   * Runs until it is asked to stop. What fails on the way to a lab is tried again, with another identity perhaps.
   *
   * @throws {LeaseLostError} when the process must not go on, because another may hold its identity
   */
  async run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      const begun = performance.now();
      try {
        await this.#withIdentity();
      } catch (error) {
        if (error instanceof LeaseLostError) {
          this.#enter('evicted');
          throw error;
        }
        if (this.#stop.signal.aborted) break;
        // A lab that had served for a while does not make the next attempt suspect.
        if (performance.now() - begun > LAST_RETRY_MS) retryMs = FIRST_RETRY_MS;
        this.#parts.log.error({ err: error, retryMs }, 'no lab, trying again');
        await sleep(retryMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    this.#enter('released');
  }

  async #withIdentity(): Promise<void> {
    const { config, leaseRedis, log } = this.#parts;
    this.#enter('acquiring');
    const lease = await acquireLease(
      config.identities,
      { redis: leaseRedis, timings: leaseTimings(config.leaseTtlMs), log },
      this.#stop.signal,
      () => {
        this.#enter('waiting');
        log.info({ identities: config.identities.length }, 'every identity is taken, waiting for one');
      },
    );
    const bound = log.child({ identity: lease.identity.username, epoch: lease.epoch });
    try {
      await this.#withToken(lease, bound);
    } finally {
      await lease.release();
    }
  }

  /** Tokens of earlier holders die first: with them nobody else can command the lab that is about to be ours. */
  async #withToken(lease: IdentityLease, log: Logger): Promise<void> {
    const { config, gafaelfawr } = this.#parts;
    const { username, uid, gid } = lease.identity;
    this.#enter('fencing');
    const signal = AbortSignal.any([this.#stop.signal, lease.lost]);
    for (const old of await gafaelfawr.listTokens(username, signal)) {
      lease.assertHeld();
      await gafaelfawr.deleteToken(username, old.key, signal);
    }
    const token = await gafaelfawr.createServiceToken(
      {
        username,
        scopes: config.tokenScopes,
        expires: new Date(Date.now() + config.tokenLifetimeSeconds * 1_000),
        uid,
        gid,
      },
      signal,
    );
    const access: LabAccess = {
      hubUrl: this.#parts.hubUrl,
      username,
      token,
      logger: log,
      guard: () => lease.assertHeld(),
    };
    try {
      while (!signal.aborted) await this.#withLab(lease, access, log);
    } finally {
      this.#enter('stopping');
      // After an eviction the token is the next holder's to delete.
      if (!lease.lost.aborted) {
        await attempt(log, 'delete the token', (bounded) =>
          gafaelfawr.deleteToken(username, tokenKey(token), bounded),
        );
      }
    }
    lease.lost.throwIfAborted();
  }

  async #withLab(lease: IdentityLease, access: LabAccess, log: Logger): Promise<void> {
    const { image, labSize: size } = this.#parts.config;
    const signal = AbortSignal.any([this.#stop.signal, lease.lost]);
    let started: StartedLab;
    try {
      started = await startLab({ ...access, image, size, signal });
    } catch (error) {
      // The spawn may go on without us: on the way out there must be no lab.
      if (!lease.lost.aborted)
        await attempt(log, 'stop the lab', (bounded) => stopLeftoverLab(access, bounded));
      throw error;
    }
    try {
      await this.#serve(started, lease, log);
    } finally {
      if (lease.lost.aborted) await started.close();
      else await attempt(log, 'stop the lab', (bounded) => started.stop(bounded));
    }
  }

  /** Takes jobs until the executor is asked to stop or the lab is of no more use. */
  async #serve(started: StartedLab, lease: IdentityLease, log: Logger): Promise<void> {
    const { config, store, workerRedis } = this.#parts;
    const labLost = new AbortController();
    const over = AbortSignal.any([this.#stop.signal, lease.lost, labLost.signal]);
    const pool = new KernelPool({
      host: started.lab,
      sessionPathPrefix: `noteburst/${lease.epoch}/`,
      size: config.concurrency,
      // Warm ones for the next jobs beside those that run.
      maxKernels: 2 * config.concurrency,
      onBackgroundError: (error) => log.warn({ err: error }, 'kernel pool'),
    });
    const worker = new NbexecWorker({
      queueName: config.queueName,
      redis: workerRedis,
      concurrency: config.concurrency,
      lockMs: config.lockMs,
      run: (job) =>
        runJob(job, {
          pool,
          store,
          startWithinSeconds: config.startWithinSeconds,
          resultTtlSeconds: config.resultRetentionSeconds + RESULT_TTL_MARGIN_SECONDS,
          assertHeld: () => lease.assertHeld(),
        }),
      assertHeld: () => lease.assertHeld(),
      onTrouble: () => this.#verify(started, labLost, log),
      log,
    });
    const keepalive = keepAlive({
      setting: config.keepalive,
      touch: (signal) => started.lab.listKernels(signal),
      onFailure: () => void this.#verify(started, labLost, log),
      signal: over,
    });
    try {
      this.#enter('warming');
      await pool
        .warm(config.warmKernelName, over)
        .catch((error: unknown) => log.warn({ err: error }, 'no kernel was warmed'));
      if (!over.aborted) {
        await worker.start();
        this.#enter('ready');
        await aborted(over);
      }
      this.#enter('draining');
      const graceful = this.#stop.signal.aborted && !lease.lost.aborted && !labLost.signal.aborted;
      const reason = lease.lost.aborted ? lease.lost.reason : new GiveBackError(String(over.reason));
      const hurry = () => void worker.drain(0, lease.lost.reason as Error);
      lease.lost.addEventListener('abort', hurry, { once: true });
      await worker.drain(graceful ? config.graceMs : 0, reason as Error);
      lease.lost.removeEventListener('abort', hurry);
    } finally {
      await keepalive;
      await worker.close();
      await pool.close();
    }
  }

  /** Whether the lab is still ours and alive; if not, everything in it is over. */
  async #verify(started: StartedLab, labLost: AbortController, log: Logger): Promise<void> {
    try {
      await started.lab.verify(AbortSignal.timeout(STEP_TIMEOUT_MS));
    } catch (error) {
      if (labLost.signal.aborted) return;
      log.warn({ err: error }, 'the lab is lost, another one will be spawned');
      labLost.abort(error);
    }
  }

  #enter(state: ExecutorState): void {
    if (state === this.#state) return;
    this.#parts.log.info({ from: this.#state, to: state }, 'executor state');
    this.#state = state;
  }
}

/** A step of the way out: bounded, and its failure stops none of the others. */
async function attempt(
  log: Logger,
  what: string,
  step: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await step(AbortSignal.timeout(STEP_TIMEOUT_MS));
  } catch (error) {
    log.error({ err: error }, `could not ${what}`);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
