import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import type { ExecutorConfig } from './config.ts';
import { acquireLease, leaseTimings, type IdentityLease } from './identity/identity-lease.ts';
import { startLab, stopLeftoverLab, type LabAccess, type StartedLab } from './lab/start-lab.ts';
import { serveLab, type ServingState } from './serve-lab.ts';

/**
 * idle → acquiring → fencing → warming → ready → draining → stopping → released; from any, evicted.
 * Only in `ready` are jobs taken.
 */
export type ExecutorState =
  'idle' | 'acquiring' | 'waiting' | 'fencing' | ServingState | 'stopping' | 'released' | 'evicted';

export interface ExecutorParts {
  config: ExecutorConfig;
  hubUrl: string;
  gafaelfawr: Gafaelfawr;
  leaseRedis: Redis;
  workerRedis: Redis;
  store: ResultStore;
  log: Logger;
  /** Told at once when the lease is lost: the process must end, also when Redis or the hub does not answer. */
  onEvicted: () => void;
}

const STEP_TIMEOUT_MS = 30_000;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;

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
        if (this.#state === 'evicted') throw error;
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
        const why = leaseRedis.status === 'ready' ? 'every identity is taken' : 'Redis is away';
        log.info({ identities: config.identities.length }, `waiting for an identity: ${why}`);
      },
    );
    const bound = log.child({ identity: lease.identity.username, epoch: lease.epoch });
    lease.lost.addEventListener('abort', () => {
      this.#enter('evicted');
      this.#parts.onEvicted();
    });
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
    try {
      await this.#deleteTokens(lease, lease.lost);
      const lifetimeMs = config.tokenLifetimeSeconds * 1_000;
      const expires = new Date(Date.now() + lifetimeMs);
      const { tokenScopes: scopes } = config;
      // Not cut off by a stop: a token whose minting was given up would live on, known to nobody.
      const token = await gafaelfawr.createServiceToken({ username, scopes, expires, uid, gid }, lease.lost);
      const guard = () => lease.assertHeld();
      const access: LabAccess = { hubUrl: this.#parts.hubUrl, username, token, logger: log, guard };
      const { tenure, graceMs } = tenureOf(lifetimeMs, config.graceMs);
      const stop = AbortSignal.any([this.#stop.signal, tenure]);
      while (!stop.aborted && !lease.lost.aborted) await this.#withLab(lease, access, stop, graceMs, log);
    } finally {
      this.#enter('stopping');
      // After an eviction the tokens are the next holder's to delete.
      if (!lease.lost.aborted) {
        await attempt(log, 'delete the token', (bounded) => this.#deleteTokens(lease, bounded));
      }
    }
    lease.lost.throwIfAborted();
  }

  async #deleteTokens(lease: IdentityLease, signal: AbortSignal): Promise<void> {
    const { gafaelfawr } = this.#parts;
    const { username } = lease.identity;
    for (const { key } of await gafaelfawr.listTokens(username, signal)) {
      lease.assertHeld();
      await gafaelfawr.deleteToken(username, key, signal);
    }
  }

  async #withLab(
    lease: IdentityLease,
    access: LabAccess,
    stop: AbortSignal,
    graceMs: number,
    log: Logger,
  ): Promise<void> {
    const { image, labSize: size } = this.#parts.config;
    const signal = AbortSignal.any([stop, lease.lost]);
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
      const enter = (state: ServingState) => this.#enter(state);
      await serveLab({ ...this.#parts, started, lease, stop, graceMs, enter, log });
    } finally {
      if (lease.lost.aborted) await started.close();
      else await attempt(log, 'stop the lab', (bounded) => started.stop(bounded));
    }
  }

  #enter(state: ExecutorState): void {
    if (state === this.#state || this.#state === 'evicted') return;
    this.#parts.log.info({ from: this.#state, to: state }, 'executor state');
    this.#state = state;
  }
}

/** The longest that a timer can count. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * How long one token serves: a lab's own credentials end with the token it was spawned with, so the lab is given up,
 * and another one spawned with another token, early enough for what runs then to end.
 */
function tenureOf(lifetimeMs: number, graceMs: number): { tenure: AbortSignal; graceMs: number } {
  const grace = Math.min(graceMs, lifetimeMs * 0.4);
  const exitMs = Math.min(2 * STEP_TIMEOUT_MS, lifetimeMs * 0.1);
  const tenureMs = Math.min(Math.floor(lifetimeMs - grace - exitMs), MAX_TIMER_MS);
  return { tenure: AbortSignal.timeout(tenureMs), graceMs: grace };
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
