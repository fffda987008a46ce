import { randomUUID } from 'node:crypto';
import type { ConnectionTimings } from './connection-timings.ts';
import { PoolClosedError, UnknownKernelError } from './kernel-error.ts';
import type { KernelHost } from './kernel-host.ts';
import { LeasedKernel, type SocketLimits } from './leased-kernel.ts';
import { Witness } from './witness.ts';

export interface KernelPoolOptions {
  host: KernelHost;
  /** Sessions are named this and a random part: it tells, in a listing of the lab, whose they are. */
  sessionPathPrefix: string;
  /** Warm kernels kept for each kernel name used lately, as long as `maxKernels` allows. */
  size: number;
  /** Kernels in all: starting, warm and in use. About 70 MB of the lab's memory each. */
  maxKernels: number;
  /** How many names count as used lately. */
  recentNames?: number;
  /** Between handing a kernel out and starting the next, so that a short notebook has the CPU to itself. */
  refillDelayMs?: number;
  /** For a warm kernel to prove that it lives before it is handed out. */
  aliveTimeoutMs?: number;
  /** For each deletion. */
  deleteTimeoutMs?: number;
  /** Aborted when the lab is lost: its kernels end with it, and their deletion is not tried any longer. */
  labLost?: AbortSignal;
  timings?: Partial<ConnectionTimings>;
  limits?: SocketLimits;
  /** Told of what fails in the background (refill, deletion); nobody awaits those. */
  onBackgroundError?: (error: unknown) => void;
}

interface Waiter {
  kernelName: string;
  since: number; // performance.now()
  resolve(kernel: LeasedKernel): void;
  reject(error: unknown): void;
}

/**
 * Started, idle, never used kernels: importing ipykernel takes 0.3 s, an `lsst` set-up much more, and nobody should
 * wait for either. A kernel is used for one notebook, then deleted.
 */
export class KernelPool {
  readonly #options: Required<Omit<KernelPoolOptions, 'timings' | 'limits'>> &
    Pick<KernelPoolOptions, 'timings' | 'limits'>;
  readonly #idle = new Map<string, LeasedKernel[]>();
  readonly #leased = new Set<LeasedKernel>();
  readonly #starting = new Map<string, number>();
  readonly #background = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #waiters: Waiter[] = [];
  /** Deletions count until they are done: the lab's memory is not free before. */
  #deleting = 0;
  /** Newest last. */
  #recent: string[] = [];
  #specs: readonly string[] = [];
  #refillTimer: NodeJS.Timeout | undefined;
  #startFailure: Error | undefined;
  readonly #witness = new Witness(() => this.#startWitness());

  constructor(options: KernelPoolOptions) {
    this.#options = {
      recentNames: 2,
      refillDelayMs: 250,
      aliveTimeoutMs: 2_000,
      deleteTimeoutMs: 5_000,
      labLost: new AbortController().signal,
      onBackgroundError: () => undefined,
      ...options,
    };
  }

  /**
   * Starts warm kernels of a name ahead of its first use; returns when they are ready.
   *
   * @throws UnknownKernelError; what starting them failed with, when not one of them came
   */
  async warm(kernelName: string, signal: AbortSignal): Promise<void> {
    await this.#checkName(kernelName, signal);
    this.#use(kernelName);
    this.#startFailure = undefined;
    this.#pump(true);
    await Promise.all(this.#background);
    if (this.#startFailure !== undefined && !this.#idle.get(kernelName)?.length) throw this.#startFailure;
  }

  /** Kernels by state, for health and tests. */
  get counts(): { idle: number; leased: number; starting: number } {
    return {
      idle: sum(this.#idle.values().map((kernels) => kernels.length)),
      leased: this.#leased.size,
      starting: sum(this.#starting.values()),
    };
  }

  /**
   * A ready kernel for the caller alone, who must `release` it. Waits while `maxKernels` are in use.
   *
   * @throws UnknownKernelError at once; PoolClosedError; whatever starting a kernel failed with
   */
  async acquire(kernelName: string, signal: AbortSignal): Promise<LeasedKernel> {
    await this.#checkName(kernelName, signal);
    this.#closing.signal.throwIfAborted();
    signal.throwIfAborted();
    this.#use(kernelName);
    try {
      return (await this.#takeIdle(kernelName, signal)) ?? (await this.#awaitStart(kernelName, signal));
    } finally {
      this.#scheduleRefill();
    }
  }

  /** A warm kernel that still answers; those that do not are replaced. */
  async #takeIdle(kernelName: string, signal: AbortSignal): Promise<LeasedKernel | undefined> {
    for (;;) {
      const kernel = this.#idle.get(kernelName)?.shift();
      if (kernel === undefined) return undefined;
      this.#leased.add(kernel);
      try {
        if (await kernel.isAlive(this.#options.aliveTimeoutMs, signal)) return kernel;
      } catch (error) {
        void this.#discard(kernel);
        throw error;
      }
      void this.#discard(kernel);
    }
  }

  /** Ends a kernel that was acquired, whatever state it is in; never rejects. */
  async release(kernel: LeasedKernel): Promise<void> {
    await this.#discard(kernel);
  }

  /** Deletes every kernel, those in use included; bounded in time, never rejects. */
  async close(): Promise<void> {
    this.#closing.abort(new PoolClosedError());
    clearTimeout(this.#refillTimer);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(new PoolClosedError());
    for (const kernel of [...this.#leased, ...[...this.#idle.values()].flat()]) void this.#discard(kernel);
    this.#idle.clear();
    this.#inBackground(this.#witness.close());
    // Kernels being started end with the signal; a deletion they leave is awaited too.
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Kernel specs change with the lab's image only, so what was seen stays true; a miss is looked up again. */
  async #checkName(kernelName: string, signal: AbortSignal): Promise<void> {
    this.#closing.signal.throwIfAborted();
    if (this.#specs.includes(kernelName)) return;
    this.#specs = (await this.#options.host.kernelSpecs(signal)).names;
    if (!this.#specs.includes(kernelName)) throw new UnknownKernelError(kernelName, this.#specs);
  }

  /** A kernel that is started for the caller; it has just shown that it is ready. */
  async #awaitStart(kernelName: string, signal: AbortSignal): Promise<LeasedKernel> {
    const { promise, resolve, reject } = Promise.withResolvers<LeasedKernel>();
    const waiter: Waiter = { kernelName, since: performance.now(), resolve, reject };
    const giveUp = () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiters.push(waiter);
    this.#pump(false);
    return promise.finally(() => signal.removeEventListener('abort', giveUp));
  }

  #use(kernelName: string): void {
    this.#recent = [...this.#recent.filter((name) => name !== kernelName), kernelName];
    this.#recent = this.#recent.slice(-this.#options.recentNames);
  }

  #scheduleRefill(): void {
    clearTimeout(this.#refillTimer);
    this.#refillTimer = setTimeout(() => this.#pump(true), this.#options.refillDelayMs);
  }

  /** Starts what is waited for, oldest first, and with `refill` what should be warm; within `maxKernels`. */
  #pump(refill: boolean): void {
    if (this.#closing.signal.aborted) return;
    const claimed = new Map(this.#starting);
    let freeing = this.#deleting;
    for (const { kernelName } of this.#waiters) {
      const coming = claimed.get(kernelName) ?? 0;
      if (coming > 0) claimed.set(kernelName, coming - 1);
      else if (this.#total < this.#options.maxKernels) this.#start(kernelName);
      else if (freeing > 0) freeing--;
      else this.#evictIdle(kernelName); // the end of its deletion pumps again
    }
    if (!refill || this.#waiters.length > 0) return;
    for (const kernelName of this.#recent.toReversed()) {
      const have = (this.#idle.get(kernelName)?.length ?? 0) + (this.#starting.get(kernelName) ?? 0);
      for (let count = have; count < this.#options.size && this.#total < this.#options.maxKernels; count++) {
        this.#start(kernelName);
      }
    }
  }

  get #total(): number {
    const { idle, leased, starting } = this.counts;
    return idle + leased + starting + this.#deleting;
  }

  #evictIdle(wanted: string): void {
    for (const [kernelName, kernels] of this.#idle) {
      const kernel = kernelName === wanted ? undefined : kernels.shift();
      if (kernel !== undefined) {
        void this.#discard(kernel);
        return;
      }
    }
  }

  #start(kernelName: string): void {
    const { host, sessionPathPrefix, timings, limits } = this.#options;
    const processProbe = this.#witness.isRunning;
    const options = { ...(timings && { timings }), ...(limits && { limits }), processProbe };
    this.#starting.set(kernelName, (this.#starting.get(kernelName) ?? 0) + 1);
    const path = `${sessionPathPrefix}${randomUUID()}`;
    const begunAt = performance.now();
    this.#inBackground(
      LeasedKernel.start(host, kernelName, path, options, this.#closing.signal)
        .finally(() => this.#starting.set(kernelName, (this.#starting.get(kernelName) ?? 0) - 1))
        .then(
          (kernel) => this.#arrive(kernel),
          (error: unknown) => this.#failStart(kernelName, begunAt, error),
        ),
    );
  }

  /** A warm kernel is at hand at once, and replaced; the witness is one more than `maxKernels` if there is none. */
  #startWitness(): Promise<LeasedKernel> {
    this.#closing.signal.throwIfAborted();
    for (const kernels of this.#idle.values()) {
      const index = kernels.findIndex(({ languageInfo }) => languageInfo['name'] === 'python');
      const [kernel] = index === -1 ? [] : kernels.splice(index, 1);
      if (kernel !== undefined) {
        this.#scheduleRefill();
        return Promise.resolve(kernel);
      }
    }
    const { host, sessionPathPrefix } = this.#options;
    const kernelName = this.#recent.at(-1) ?? '';
    const path = `${sessionPathPrefix}witness-${randomUUID()}`;
    return LeasedKernel.start(host, kernelName, path, {}, this.#closing.signal);
  }

  #arrive(kernel: LeasedKernel): void {
    const waiter = this.#nextWaiter(kernel.kernelName);
    if (this.#closing.signal.aborted) void this.#discard(kernel);
    else if (waiter !== undefined) {
      this.#leased.add(kernel);
      waiter.resolve(kernel);
    } else {
      this.#idle.set(kernel.kernelName, [...(this.#idle.get(kernel.kernelName) ?? []), kernel]);
      // Nobody wants this one, but it may stand in the way of what somebody waits for.
      this.#pump(false);
    }
  }

  /**
   * One waiter learns of it, and the others have starts of their own; so has one who came when this had begun already,
   * for whatever was wrong then may be over. A failed refill waits for the next hand-out.
   */
  #failStart(kernelName: string, begunAt: number, error: unknown): void {
    this.#startFailure = error instanceof Error ? error : new Error(String(error));
    const waiter = this.#nextWaiter(kernelName, begunAt);
    if (waiter !== undefined) waiter.reject(error);
    else if (!this.#closing.signal.aborted) this.#options.onBackgroundError(error);
    this.#pump(false);
  }

  #nextWaiter(kernelName: string, notAfter = Infinity): Waiter | undefined {
    const isNext = (waiter: Waiter) => waiter.kernelName === kernelName && waiter.since <= notAfter;
    const index = this.#waiters.findIndex(isNext);
    return index === -1 ? undefined : this.#waiters.splice(index, 1)[0];
  }

  #discard(kernel: LeasedKernel): Promise<void> {
    const { deleteTimeoutMs, labLost, onBackgroundError } = this.#options;
    this.#leased.delete(kernel);
    this.#deleting++;
    const deletion = kernel
      .delete(AbortSignal.any([AbortSignal.timeout(deleteTimeoutMs), labLost]))
      .catch((error: unknown) => {
        if (!labLost.aborted) onBackgroundError(error);
      })
      .finally(() => {
        this.#deleting--;
        this.#pump(false);
      });
    this.#inBackground(deletion);
    return deletion;
  }

  #inBackground(work: Promise<void>): void {
    const tracked = work.finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
