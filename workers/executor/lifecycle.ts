import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { crashpoint } from '../../lib/crashpoint.ts';
import { GafaelfawrError, type Gafaelfawr } from '../../lib/gafaelfawr.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import type { ExecutorConfig } from './config.ts';
import { nextState, type ExecutorEvent, type ExecutorState } from './executor-state.ts';
import { exitStep } from './exit-step.ts';
import { acquireLease } from './identity/acquire-lease.ts';
import { LeaseLostError, leaseTimings, type IdentityLease } from './identity/identity-lease.ts';
import { JupyterResponseError, isTokenRefusal, NewerEpochError } from './lab/errors.ts';
import type { LabAccess } from './lab/lab-access.ts';
import { leftoverEpoch, stopLeftoverLab } from './lab/leftover-lab.ts';
import { startLab, type StartedLab } from './lab/start-lab.ts';
import type { ExecutorMetrics } from './metrics.ts';
import { serveLab } from './serve-lab.ts';
import { tenureOf, type Tenure } from './tenure.ts';

export interface ExecutorParts {
  config: ExecutorConfig;
  hubUrl: string;
  gafaelfawr: Pick<Gafaelfawr, 'createServiceToken' | 'listTokens' | 'deleteToken'>;
  leaseRedis: Redis;
  workerRedis: Redis;
  store: ResultStore;
  metrics: ExecutorMetrics;
  log: Logger;
  /** Told at once when the lease is lost: the process must end, also when Redis or the hub does not answer. */
  onEvicted: () => void;
  timings?: ExecutorTimings;
}

export interface ExecutorTimings {
  /** For each of the steps of the way out: stop the lab, delete the token. */
  exitStepMs: number;
  /** After the first failure on the way to a lab; twice as long after each further one. */
  firstRetryMs: number;
  /** Between looks for kernels that are not ours. */
  reconcileEveryMs: number;
}

// With both steps and what serveLab and the lease take, the exit is over within 90 s of the end of the grace.
const TIMINGS: ExecutorTimings = { exitStepMs: 30_000, firstRetryMs: 2_000, reconcileEveryMs: 10_000 };
const LAST_RETRY_MS = 60_000;

/** The life of an executor: one identity, one lab at a time, jobs in between. Its states are in executor-state.ts. */
export class Executor {
  readonly #parts: ExecutorParts;
  readonly #timings: ExecutorTimings;
  readonly #stop = new AbortController();
  #state: ExecutorState = 'idle';

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    this.#timings = parts.timings ?? TIMINGS;
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
    const { firstRetryMs } = this.#timings;
    let retryMs = firstRetryMs;
    while (!this.#stop.signal.aborted) {
      const begun = performance.now();
      try {
        await this.#withIdentity();
      } catch (error) {
        if (this.#state === 'evicted') throw error;
        if (this.#stop.signal.aborted) break;
        // A lab that had served for a while does not make the next attempt suspect.
        if (performance.now() - begun > LAST_RETRY_MS) retryMs = firstRetryMs;
        const pauseMs = Math.max(retryMs, retryAfterMs(error));
        this.#parts.log.error({ err: error, pauseMs }, 'no lab, trying again');
        await sleep(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    if (this.#state === 'idle') this.#on('release');
  }

  async #withIdentity(): Promise<void> {
    this.#on('acquire');
    const lease = await this.#acquire();
    const { username } = lease.identity;
    lease.lost.addEventListener('abort', () => this.#evicted(lease));
    try {
      await this.#withToken(lease, this.#parts.log.child({ identity: username, epoch: lease.epoch }));
    } finally {
      await crashpoint('s10');
      if (await lease.release()) this.#on('release');
    }
  }

  async #acquire(): Promise<IdentityLease> {
    const { config, leaseRedis, metrics, log } = this.#parts;
    const onRenewal = (outcome: string) => metrics.leaseRenewals.inc({ outcome });
    const timings = leaseTimings(config.leaseTtlMs);
    const onWaiting = () => {
      this.#on('taken');
      const why = leaseRedis.status === 'ready' ? 'every identity is taken' : 'Redis is away';
      log.info({ identities: config.identities.length }, `waiting for an identity: ${why}`);
    };
    try {
      const parts = { redis: leaseRedis, timings, log, onRenewal };
      const lease = await acquireLease(config.identities, parts, this.#stop.signal, onWaiting);
      this.#on('acquired');
      return lease;
    } catch (error) {
      this.#on('release');
      throw error;
    }
  }

  #evicted(lease: IdentityLease): void {
    const { reason: cause } = lease.lost.reason as LeaseLostError;
    this.#parts.metrics.evictions.inc({ cause });
    this.#on('evict');
    // With a refused token alone nothing hangs and the lock is ours: everything is begun anew, in this process.
    if (cause !== 'token_refused') this.#parts.onEvicted();
  }

  /** Tokens of earlier holders die first: with them nobody else can command the lab that is about to be ours. */
  async #withToken(lease: IdentityLease, log: Logger): Promise<void> {
    const { config, hubUrl } = this.#parts;
    const { username } = lease.identity;
    try {
      await this.#deleteTokens(lease, AbortSignal.any([lease.lost, this.#stop.signal]));
      const tenure = tenureOf(config.tokenLifetimeSeconds * 1_000, config.graceMs);
      const token = await this.#mintToken(lease);
      await crashpoint('s2');
      const guard = () => lease.assertHeld();
      const access: LabAccess = { hubUrl, username, token, logger: log, guard };
      const over = AbortSignal.any([this.#stop.signal, tenure.end.signal, lease.lost]);
      while (!over.aborted) {
        if (this.#state === 'draining') this.#on('respawn');
        await this.#withLab(lease, access, tenure, log);
      }
    } finally {
      this.#on('leave');
      // After an eviction the tokens are the next holder's to delete.
      if (!lease.lost.aborted) {
        await this.#exitStep(log, 'delete the token', (signal) => this.#deleteTokens(lease, signal));
      }
    }
    lease.lost.throwIfAborted();
  }

  /** Not cut off by a stop: a token whose minting was given up would live on, known to nobody. */
  #mintToken(lease: IdentityLease): Promise<string> {
    const { config, gafaelfawr } = this.#parts;
    const expires = new Date(Date.now() + config.tokenLifetimeSeconds * 1_000);
    lease.assertHeld();
    return gafaelfawr.createServiceToken(
      { ...lease.identity, scopes: config.tokenScopes, expires },
      lease.lost,
    );
  }

  async #deleteTokens(lease: IdentityLease, signal: AbortSignal): Promise<void> {
    const { gafaelfawr } = this.#parts;
    const { username } = lease.identity;
    for (const { key } of await gafaelfawr.listTokens(username, signal)) {
      lease.assertHeld();
      await gafaelfawr.deleteToken(username, key, signal);
    }
  }

  /** After an eviction the lab is not commanded any more: the next holder stops it. */
  async #withLab(lease: IdentityLease, access: LabAccess, tenure: Tenure, log: Logger): Promise<void> {
    const stop = this.#stop.signal;
    let started: StartedLab;
    try {
      started = await this.#startLab(lease, access, AbortSignal.any([stop, tenure.end.signal, lease.lost]));
    } catch (error) {
      this.#evictFor(lease, error);
      // The spawn may go on without us: on the way out there must be no lab.
      if (!lease.lost.aborted) {
        await this.#stopLab(lease, access, (signal) => stopLeftoverLab(access, signal));
      }
      throw error;
    }
    try {
      const { reconcileEveryMs } = this.#timings;
      const { graceMs, end } = tenure;
      const on = (event: ExecutorEvent) => this.#on(event);
      const bound = { started, lease, stop, graceMs, tenure: end, reconcileEveryMs, on, log };
      await serveLab({ ...this.#parts, ...bound });
    } catch (error) {
      this.#evictFor(lease, error);
      throw error;
    } finally {
      if (lease.lost.aborted) await started.close();
      else await this.#stopLab(lease, access, (signal) => started.stop(signal));
    }
  }

  /** With another token where ours was revoked meanwhile: the lease is ours all the same. */
  #stopLab(
    lease: IdentityLease,
    access: LabAccess,
    stop: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    return this.#exitStep(access.logger, 'stop the lab', async (signal) => {
      try {
        await stop(signal);
      } catch (error) {
        if (!isTokenRefusal(error)) throw error;
        await stopLeftoverLab({ ...access, token: await this.#mintToken(lease) }, signal);
      }
    });
  }

  /** What some errors say about the lease itself; on the way out a refused token is no reason to leave the lab behind. */
  #evictFor(lease: IdentityLease, error: unknown): void {
    if (isTokenRefusal(error) && !this.#stop.signal.aborted) lease.evict('token_refused', error.message);
    if (error instanceof NewerEpochError) lease.evict('newer_epoch', error.message);
  }

  async #startLab(lease: IdentityLease, access: LabAccess, signal: AbortSignal): Promise<StartedLab> {
    const { image, labSize: size } = this.#parts.config;
    const { spawnSeconds } = this.#parts.metrics;
    await lease.raiseEpochAbove(await leftoverEpoch(access, signal));
    const spawned = spawnSeconds.startTimer();
    try {
      const started = await startLab({ ...access, image, size, epoch: lease.epoch, signal });
      spawned({ outcome: 'ready' });
      return started;
    } catch (error) {
      spawned({ outcome: signal.aborted ? 'broken_off' : 'failed' });
      throw error;
    }
  }

  #exitStep(log: Logger, what: string, step: (signal: AbortSignal) => Promise<void>): Promise<void> {
    return exitStep(log, what, this.#timings.exitStepMs, step, isFinal);
  }

  #on(event: ExecutorEvent): void {
    const [from, to] = [this.#state, nextState(this.#state, event)];
    if (from === to) return;
    this.#parts.log.info({ from, to }, 'executor state');
    this.#parts.metrics.stateTransitions.inc({ from, to });
    this.#state = to;
  }
}

/** Whether trying again would be of no use. */
const isFinal = (error: unknown): boolean =>
  isTokenRefusal(error) ||
  error instanceof LeaseLostError ||
  (error instanceof GafaelfawrError && !error.transient);

/** How long the hub wants to be left alone, as far as the error or what caused it says so. */
function retryAfterMs(error: unknown): number {
  if (error instanceof JupyterResponseError) return error.retryAfterMs ?? 0;
  return error instanceof Error && error.cause !== undefined ? retryAfterMs(error.cause) : 0;
}
