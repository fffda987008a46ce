import type { LeasedKernel } from './leased-kernel.ts';

interface Waiter {
  kernelName: string;
  since: number; // performance.now()
  resolve(kernel: LeasedKernel): void;
  reject(error: unknown): void;
}

/** Who waits for a kernel that has yet to be started, oldest first. */
export class KernelWaiters {
  #waiters: Waiter[] = [];

  /** Which kernels are waited for; a name stands there once for each who waits. */
  get names(): string[] {
    return this.#waiters.map(({ kernelName }) => kernelName);
  }

  /** Waits until somebody takes it by `next`, and resolves or rejects it. @throws the signal's reason */
  wait(kernelName: string, signal: AbortSignal): Promise<LeasedKernel> {
    const { promise, resolve, reject } = Promise.withResolvers<LeasedKernel>();
    const waiter: Waiter = { kernelName, since: performance.now(), resolve, reject };
    const giveUp = () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiters.push(waiter);
    return promise.finally(() => signal.removeEventListener('abort', giveUp));
  }

  /** Takes out the one who has waited longest for such a kernel, among those who came no later than that. */
  next(kernelName: string, notAfter = Infinity): Omit<Waiter, 'kernelName' | 'since'> | undefined {
    const isNext = (waiter: Waiter) => waiter.kernelName === kernelName && waiter.since <= notAfter;
    const index = this.#waiters.findIndex(isNext);
    return index === -1 ? undefined : this.#waiters.splice(index, 1)[0];
  }

  rejectAll(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}
