import type { LeasedKernel } from './leased-kernel.ts';

/** Warm kernels that nobody uses, oldest first. */
export class IdleKernels {
  #kernels: LeasedKernel[] = [];

  add(kernel: LeasedKernel): void {
    this.#kernels.push(kernel);
  }

  /** How many there are, or how many of one name. */
  count(kernelName?: string): number {
    if (kernelName === undefined) return this.#kernels.length;
    return this.#kernels.filter((kernel) => kernel.kernelName === kernelName).length;
  }

  /** Takes the oldest out for which the condition holds. */
  take(condition: (kernel: LeasedKernel) => boolean): LeasedKernel | undefined {
    const index = this.#kernels.findIndex(condition);
    return index === -1 ? undefined : this.#kernels.splice(index, 1)[0];
  }

  /** Takes all out for which the condition holds. */
  takeAll(condition: (kernel: LeasedKernel) => boolean = () => true): LeasedKernel[] {
    const taken = this.#kernels.filter(condition);
    this.#kernels = this.#kernels.filter((kernel) => !taken.includes(kernel));
    return taken;
  }
}
