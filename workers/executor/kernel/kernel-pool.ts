import { settledOrAborted } from '../../../lib/abort.ts';
import { firstAlive } from './first-alive.ts';
import { IdleKernels } from './idle-kernels.ts';
import { PoolClosedError, UnknownKernelError } from './kernel-error.ts';
import { KernelStarter, type KernelStarterOptions } from './kernel-starter.ts';
import { KernelWaiters } from './kernel-waiters.ts';
import type { LeasedKernel } from './leased-kernel.ts';
import { RefillTimer } from './refill-timer.ts';
import { Witness } from './witness.ts';

export interface KernelPoolOptions extends KernelStarterOptions {
  /** Warm kernels kept for each kernel name used lately, as long as `maxKernels` allows. */
  size: number;
  /** Kernels in all: starting, warm and in use. About 70 MB of the lab's memory each. */
  maxKernels: number;
  /** How many names count as used lately. */
  recentNames?: number;
  /**
   * Between handing a kernel out and starting the next, so that a short notebook has the CPU to itself; as long again
   * up to three times while one still runs and the next finds a warm kernel; twice as long after each failure.
   */
  refillDelayMs?: number;
  /** For a warm kernel to prove that it lives before it is handed out. */
  aliveTimeoutMs?: number;
  /** For each deletion. */
  deleteTimeoutMs?: number;
  /** Told of what fails in the background (refill, deletion); nobody awaits those. */
  onBackgroundError?: (error: unknown) => void;
}

/**
 * Started, idle, never used kernels: importing ipykernel takes 0.3 s, an `lsst` set-up much more, and nobody should
 * wait for either. A kernel is used for one notebook, then deleted.
 */
export class KernelPool {
  readonly #options: Required<Omit<KernelPoolOptions, keyof KernelStarterOptions>> & KernelStarterOptions;
  readonly #idle = new IdleKernels();
  readonly #leased = new Set<LeasedKernel>();
  readonly #starter: KernelStarter;
  readonly #background = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #waiters = new KernelWaiters();
  /** Deletions count until they are done: the lab's memory is not free before. */
  #deleting = 0;
  /** Newest last. */
  #recent: string[] = [];
  #specs: readonly string[] = [];
  readonly #refill: RefillTimer;
  #startFailure: Error | undefined;
  readonly #witness = new Witness(() => this.#startWitness());

  constructor(options: KernelPoolOptions) {
    this.#options = {
      recentNames: 2,
      refillDelayMs: 250,
      aliveTimeoutMs: 2_000,
      deleteTimeoutMs: 5_000,
      onBackgroundError: () => undefined,
      ...options,
    };
    this.#starter = new KernelStarter(options, this.#closing.signal);
    this.#refill = new RefillTimer({
      delayMs: this.#options.refillDelayMs,
      canWait: () => this.#leased.size > 0 && this.#idle.count(this.#recent.at(-1)) > 0,
      refill: () => this.#pump(true),
      closing: this.#closing.signal,
    });
    // What runs in a lost lab fails at once, instead of waiting for an interrupt or for its socket to come back.
    options.labLost?.addEventListener('abort', () => void this.close(), { once: true });
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
    if (this.#startFailure !== undefined && this.#idle.count(kernelName) === 0) throw this.#startFailure;
  }

  /** Kernels by state, for health and tests. */
  get counts(): { idle: number; leased: number; starting: number } {
    return {
      idle: this.#idle.count(),
      leased: this.#leased.size,
      starting: this.#starter.total,
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
      this.#refill.handedOut();
    }
  }

  /** A warm kernel that still answers; those that do not are replaced. */
  async #takeIdle(kernelName: string, signal: AbortSignal): Promise<LeasedKernel | undefined> {
    const isWanted = (kernel: LeasedKernel) => kernel.kernelName === kernelName;
    for (;;) {
      const first = this.#idle.take(isWanted);
      if (first === undefined) return undefined;
      const search = firstAlive({
        first,
        others: () => this.#idle.takeAll(isWanted),
        isAlive: (kernel) => this.#isAlive(kernel),
        spare: (kernel) => this.#arrive(kernel),
      });
      const kernel = await settledOrAborted(search, signal);
      if (signal.aborted) void search.then((found) => found && this.#arrive(found));
      signal.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      if (kernel !== undefined) return kernel;
    }
  }

  /** Counts the kernel as leased from now on, and discards it when it does not answer, whoever it was asked for. */
  async #isAlive(kernel: LeasedKernel): Promise<boolean> {
    this.#leased.add(kernel);
    const { aliveTimeoutMs } = this.#options;
    const alive = await kernel.isAlive(aliveTimeoutMs, this.#closing.signal).catch(() => false);
    if (!alive && this.#leased.has(kernel)) void this.#discard(kernel);
    return alive;
  }

  /** Ends a kernel that was acquired, whatever state it is in; never rejects. */
  async release(kernel: LeasedKernel): Promise<void> {
    await this.#discard(kernel);
  }

  /** Deletes every kernel, those in use included; bounded in time, never rejects. */
  async close(): Promise<void> {
    this.#closing.abort(new PoolClosedError());
    this.#waiters.rejectAll(new PoolClosedError());
    for (const kernel of [...this.#leased, ...this.#idle.takeAll()]) void this.#discard(kernel);
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
  #awaitStart(kernelName: string, signal: AbortSignal): Promise<LeasedKernel> {
    const kernel = this.#waiters.wait(kernelName, signal);
    this.#pump(false);
    return kernel;
  }

  #use(kernelName: string): void {
    this.#recent = [...this.#recent.filter((name) => name !== kernelName), kernelName];
    this.#recent = this.#recent.slice(-this.#options.recentNames);
  }

  /** Starts what is waited for, oldest first, and with `refill` what should be warm; within `maxKernels`. */
  #pump(refill: boolean): void {
    if (this.#closing.signal.aborted) return;
    const claimed = new Map(this.#starter.counts);
    let freeing = this.#deleting;
    for (const kernelName of this.#waiters.names) {
      const coming = claimed.get(kernelName) ?? 0;
      if (coming > 0) claimed.set(kernelName, coming - 1);
      else if (this.#total < this.#options.maxKernels) this.#start(kernelName);
      else if (freeing > 0) freeing--;
      else this.#evictIdle((name) => name !== kernelName); // the end of its deletion pumps again
    }
    if (!refill || this.#waiters.names.length > 0) return;
    for (const kernelName of this.#recent.toReversed()) {
      const have = this.#idle.count(kernelName) + (this.#starter.counts.get(kernelName) ?? 0);
      for (let count = have; count < this.#options.size; count++) {
        if (this.#total < this.#options.maxKernels) this.#start(kernelName);
        else if (freeing > 0) freeing--;
        else this.#evictIdle((name) => !this.#recent.includes(name));
      }
    }
  }

  get #total(): number {
    const { idle, leased, starting } = this.counts;
    return idle + leased + starting + this.#deleting;
  }

  #evictIdle(isUnwanted: (name: string) => boolean): void {
    const kernel = this.#idle.take(({ kernelName }) => isUnwanted(kernelName));
    if (kernel !== undefined) void this.#discard(kernel);
  }

  #start(kernelName: string): void {
    const begunAt = performance.now();
    this.#inBackground(
      this.#starter.start(kernelName, this.#witness.isRunning).then(
        (kernel) => {
          void kernel.ended.then(() => this.#drop(kernel));
          this.#arrive(kernel);
        },
        (error: unknown) => this.#failStart(kernelName, begunAt, error),
      ),
    );
  }

  /** A warm kernel is at hand at once, and replaced; the witness is one more than `maxKernels` if there is none. */
  #startWitness(): Promise<LeasedKernel> {
    this.#closing.signal.throwIfAborted();
    const kernel = this.#idle.take(({ languageInfo }) => languageInfo['name'] === 'python');
    if (kernel !== undefined) {
      this.#refill.schedule();
      return Promise.resolve(kernel);
    }
    return this.#starter.startWitness(this.#recent.at(-1) ?? '');
  }

  /** A kernel that nobody has, and that is ready, goes to who waits for one. */
  #arrive(kernel: LeasedKernel): void {
    this.#leased.delete(kernel);
    if (this.#closing.signal.aborted) return void this.#discard(kernel);
    const waiter = this.#waiters.next(kernel.kernelName);
    if (waiter !== undefined) {
      this.#leased.add(kernel);
      waiter.resolve(kernel);
    } else {
      this.#idle.add(kernel);
      // Nobody wants this one, but it may stand in the way of what somebody waits for.
      this.#pump(false);
    }
  }

  /**
   * One waiter learns of it, and the others have starts of their own; so has one who came when this had begun already,
   * for whatever was wrong then may be over.
   */
  #failStart(kernelName: string, begunAt: number, error: unknown): void {
    this.#startFailure = error instanceof Error ? error : new Error(String(error));
    const waiter = this.#waiters.next(kernelName, begunAt);
    if (waiter !== undefined) waiter.reject(error);
    else if (!this.#closing.signal.aborted) this.#options.onBackgroundError(error);
    this.#refill.failed();
    this.#pump(false);
  }

  /** A warm kernel that is lost takes no room, and is replaced before anybody needs it. */
  #drop(kernel: LeasedKernel): void {
    if (this.#idle.take((idle) => idle === kernel) === undefined) return;
    this.#refill.failed();
    void this.#discard(kernel);
  }

  #discard(kernel: LeasedKernel): Promise<void> {
    const { deleteTimeoutMs, onBackgroundError } = this.#options;
    this.#leased.delete(kernel);
    this.#deleting++;
    const deletion = kernel
      .delete(AbortSignal.timeout(deleteTimeoutMs))
      .catch(onBackgroundError)
      .finally(() => {
        this.#deleting--;
        this.#pump(false);
        this.#refill.schedule();
      });
    this.#inBackground(deletion);
    return deletion;
  }

  #inBackground(work: Promise<void>): void {
    const tracked = work.finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }
}
