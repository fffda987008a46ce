import type { Redis } from 'ioredis';
import { vi } from 'vitest';
import { LabModel, LeaseModel, TTL_MS } from './platform-model.ts';
import { ModelExecutor } from './model-executor.ts';
import { Network, type Fate } from './network.ts';
import type { Process } from './processes.ts';
import { QueueModel } from './queue-model.ts';

/** How finely time passes; a process answers to what has happened within one of these. */
const SLICE_MS = 250;

/** What keeps the promises; each can be switched off, to see that it is what does it. */
export interface Guards {
  /** BullMQ ends a job only under its lock. */
  lock: boolean;
  /** Jobs of executors that died are looked for. */
  recovery: boolean;
  /** Tokens of earlier holders are deleted before a lab is spawned. */
  fencing: boolean;
  /** Epochs follow the clock of Redis, too. */
  redisTime: boolean;
  /** The deadline of the lease is heeded by what runs under it. */
  deadline: boolean;
}

const IDENTITIES = ['bot-1', 'bot-2'];
const EXECUTORS = 3;

/**
 * Executors, identities and jobs on one clock, over a network that delays, loses and reorders. Leases, attempts, job
 * locks, deadlines and verdicts are the product's own; Redis, BullMQ and labs are modelled. What breaks a promise is
 * noted in `violations`.
 */
export class World {
  readonly guards: Guards;
  readonly network: Network;
  readonly queue: QueueModel;
  readonly leases: LeaseModel<Process>;
  readonly labs: ReadonlyMap<string, LabModel>;
  readonly violations: string[] = [];
  /** By identity, as they were issued. */
  readonly epochs = new Map<string, number[]>();
  readonly counts = { ends: 0, attempts: 0, leases: 0, refusedCommits: 0 };
  readonly #executors: ModelExecutor[];
  readonly #watched: string;

  /** @param watched what a violation must begin with to be noted */
  constructor(fates: readonly Fate[], guards: Guards, watched: string) {
    this.guards = guards;
    this.#watched = watched;
    this.network = new Network(fates);
    this.queue = new QueueModel(guards.lock);
    this.leases = new LeaseModel(guards.redisTime);
    const lab = () => new LabModel((why) => this.#violates(`I3: ${why}`));
    this.labs = new Map(IDENTITIES.map((username) => [username, lab()]));
    this.#executors = Array.from({ length: EXECUTORS }, (_, n) => this.#newExecutor(n));
  }

  get usernames(): readonly string[] {
    return IDENTITIES;
  }

  executor(n: number): ModelExecutor {
    return this.#executors[n % EXECUTORS] as ModelExecutor;
  }

  submit(enableRetry: boolean): void {
    const run = { kernel_name: 'lsst', timeout_seconds: 60, enable_retry: enableRetry };
    this.queue.add(`job-${this.queue.jobs.size}`, { version: 1, owner: 'alice', ...run });
  }

  cancel(n: number): void {
    if (this.queue.jobs.size > 0) this.queue.cancel(`job-${n % this.queue.jobs.size}`);
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= SLICE_MS) {
      vi.advanceTimersByTime(Math.min(SLICE_MS, leftMs));
      await settled();
      this.#restart();
      this.#look();
    }
  }

  /** Nothing goes wrong any more; then every job must end. */
  async settle(withinMs: number): Promise<void> {
    this.network.calm = true;
    for (const executor of this.#executors) executor.process.thaw();
    const open = () => [...this.queue.jobs.values()].filter(({ state }) => state !== 'ended');
    for (let leftMs = withinMs; leftMs > 0 && open().length > 0; leftMs -= 1_000) await this.pass(1_000);
    for (const { id, state } of open()) this.#violates(`I2: ${id} is still ${state}`);
    // What was sent before may still arrive.
    await this.pass(TTL_MS);
  }

  /** Told before a job's end is sent. */
  onCommit(username: string, process: Process): void {
    if (!this.leases.keepsFor(username, process)) {
      this.#violates(`I5: an end is written without the lease on ${username}`);
    }
  }

  onEpoch(username: string, epoch: number): void {
    const before = this.epochs.get(username) ?? [];
    if (before.some((earlier) => earlier >= epoch)) this.#violates(`I4: epoch ${epoch} was issued before`);
    this.epochs.set(username, [...before, epoch]);
  }

  /** What one executor's client for leases can do. */
  leaseRedis(process: Process, timeoutMs: number): Redis {
    type Callback = (error: Error | null, result?: unknown) => void;
    const client = {
      // redlock keeps a script's hash and falls back to its text.
      evalsha: (_hash: string, _args: unknown[], callback: Callback) => callback(new Error('NOSCRIPT')),
      eval: (first: string | unknown[], ...rest: unknown[]) => {
        const [script, , key, ...args] = (Array.isArray(first) ? first : [first, ...rest]) as string[];
        const username = (key as string).split(':').at(-1) as string;
        const execute = () => this.#onRedis(script as string, username, process, args);
        // redlock's promises do not tell whose code they run.
        const sent = process.run(() => this.network.send(execute, timeoutMs));
        if (!Array.isArray(first)) return sent;
        const callback = rest[0] as Callback;
        // By a timer, as its promises would take what fails in a microtask for unhandled.
        const tell = (error: Error | null, result?: unknown) =>
          process.run(() => setTimeout(() => callback(error, result), 0));
        return void sent.then((result) => tell(null, result), tell);
      },
    };
    return client as unknown as Redis;
  }

  #onRedis(script: string, username: string, process: Process, args: string[]): number {
    if (!script.includes("'TIME'")) return this.leases.execute(script, username, process, args);
    const epoch = this.leases.nextEpoch(username, Number(args[0]));
    this.onEpoch(username, epoch);
    return epoch;
  }

  #newExecutor(n: number): ModelExecutor {
    return new ModelExecutor(this, n);
  }

  #violates(promise: string): void {
    if (promise.startsWith(this.#watched)) this.violations.push(promise);
  }

  /** As Kubernetes does with what has died. */
  #restart(): void {
    for (const [n, { process }] of this.#executors.entries()) {
      if (!process.alive) this.#executors[n] = this.#newExecutor(n);
    }
  }

  #look(): void {
    for (const { id, ends } of this.queue.jobs.values()) {
      if (ends.length > 1) this.#violates(`I1: ${id} ended ${ends.length} times`);
    }
  }
}

/** redlock's promises settle by setImmediate, which is real. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
