import type { Redis } from 'ioredis';
import { vi } from 'vitest';
import { tryAcquire } from '../../../workers/executor/identity/acquire-lease.ts';
import {
  leaseTimings,
  type IdentityLease,
  type LeaseParts,
} from '../../../workers/executor/identity/identity-lease.ts';
import { silentLog } from '../../support/log.ts';

export const TTL_MS = 30_000;
/** As the client for leases has it. */
const COMMAND_TIMEOUT_MS = 3_000;
/** How finely time passes; a process answers to what has happened within one of these. */
const SLICE_MS = 250;

/** What becomes of a command: how long it travels, how long its answer does, and whether either is lost. */
export interface Fate {
  toMs: number;
  backMs: number;
  lost?: 'command' | 'answer' | undefined;
}

type Callback = (error: Error | null, result?: unknown) => void;

/**
 * Executors that fight for one identity over a network that delays, loses and reorders, with a Redis that keeps its own
 * time. Time is vitest's fake one, and whatever was slept through (`freeze`): no timer notices that.
 */
export class LeaseWorld {
  readonly executors: Executor[];
  readonly epochs: number[] = [];
  /** How many leases were lost before they were released. */
  losses = 0;
  readonly #fates: Fate[];
  #sleptMs = 0;
  #fate = 0;
  #lock: { value: string; untilMs: number; holder: Executor } | undefined;
  #epoch = 0;

  /** @param rates how fast the executors' clocks run, one for each */
  constructor(rates: number[], fates: Fate[], marginMs: number) {
    this.#fates = fates;
    this.executors = rates.map((rate) => new Executor(this, rate, marginMs));
  }

  /** True time. */
  get nowMs(): number {
    return Date.now() + this.#sleptMs;
  }

  /** Lets time pass; calls `look` again and again. */
  async pass(ms: number, look: () => void): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= SLICE_MS) {
      await vi.advanceTimersByTimeAsync(Math.min(SLICE_MS, leftMs));
      await settled();
      look();
    }
  }

  /** Time passes, and no process gets to do anything meanwhile. */
  freeze(ms: number): void {
    this.#sleptMs += ms;
  }

  /** Whether Redis itself keeps the identity for this executor. */
  keepsFor(executor: Executor): boolean {
    return this.#lock?.holder === executor && this.#lock.untilMs > this.nowMs;
  }

  send(from: Executor, script: string, args: string[], callback: Callback): void {
    const fate = this.#fates[this.#fate++ % this.#fates.length] as Fate;
    let open = true;
    const answer: Callback = (error, result) => {
      if (open) callback(error, result);
      open = false;
    };
    setTimeout(() => answer(new Error('Command timed out')), COMMAND_TIMEOUT_MS);
    if (fate.lost === 'command') return;
    setTimeout(() => {
      const result = this.#execute(from, script, args);
      if (fate.lost !== 'answer') setTimeout(() => answer(null, result), fate.backMs);
    }, fate.toMs);
  }

  /** The four scripts that a lease is made of, told by what they do. */
  #execute(from: Executor, script: string, [value = '', ttlMs = '0']: string[]): unknown {
    if (script.includes("'TIME'"))
      return (this.#epoch = Math.max(this.#epoch + 1, this.nowMs, Number(value)));
    const held = this.#lock && this.#lock.untilMs > this.nowMs ? this.#lock : undefined;
    const lock = { value, untilMs: this.nowMs + Number(ttlMs), holder: from };
    if (script.includes('"exists"')) return held ? 0 : ((this.#lock = lock), 1);
    if (script.trim() === 'return #KEYS') return 1;
    if (held?.value !== value) return 0;
    this.#lock = script.includes('"del"') ? undefined : lock;
    return 1;
  }
}

/** One executor: its clocks, its client, and the lease it believes to have. */
export class Executor {
  lease: IdentityLease | undefined;
  acquiring = false;
  readonly #world: LeaseWorld;
  readonly #parts: LeaseParts;

  constructor(world: LeaseWorld, rate: number, marginMs: number) {
    this.#world = world;
    const clock = () => world.nowMs * rate;
    const client = {
      // redlock keeps a script's hash and falls back to its text.
      evalsha: (_hash: string, _args: unknown[], callback: Callback) => callback(new Error('NOSCRIPT')),
      eval: (first: string | unknown[], ...rest: unknown[]) => {
        if (Array.isArray(first)) {
          const [script, , , ...args] = first as string[];
          return world.send(this, script as string, args, rest[0] as Callback);
        }
        return new Promise((resolve, reject) => {
          const done: Callback = (error, result) => (error ? reject(error) : resolve(result));
          world.send(this, first, rest.slice(2) as string[], done);
        });
      },
    };
    this.#parts = {
      redis: client as unknown as Redis,
      timings: { ...leaseTimings(TTL_MS), marginMs },
      log: silentLog(),
      onRenewal: () => undefined,
      clocks: { wallMs: clock, monotonicMs: clock },
    };
  }

  /** Whether it would act as the bot now. */
  get acts(): boolean {
    try {
      this.lease?.assertHeld();
      return this.lease !== undefined;
    } catch {
      return false;
    }
  }

  acquire(): void {
    this.acquiring = true;
    void tryAcquire({ username: 'bot-model' }, this.#parts).then((lease) => {
      this.acquiring = false;
      this.lease = lease;
      if (!lease) return;
      this.#world.epochs.push(lease.epoch);
      lease.lost.addEventListener('abort', () => this.#world.losses++);
    });
  }

  release(): void {
    void this.lease?.release();
    this.lease = undefined;
  }
}

/** redlock's promises settle by setImmediate, which is real. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
