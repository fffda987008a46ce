import { randomUUID } from 'node:crypto';
import type { ProcessProbe } from './death-watch.ts';
import type { KernelHost } from './kernel-host.ts';
import { LeasedKernel, type LeasedKernelOptions } from './leased-kernel.ts';

export interface KernelStarterOptions extends Omit<LeasedKernelOptions, 'processProbe'> {
  host: KernelHost;
  /** Sessions are named this and a random part: it tells, in a listing of the lab, whose they are. */
  sessionPathPrefix: string;
}

/** Starts kernels, and counts those on their way. */
export class KernelStarter {
  readonly #options: KernelStarterOptions;
  readonly #signal: AbortSignal;
  readonly #starting = new Map<string, number>();

  /** @param signal ends what is being started */
  constructor(options: KernelStarterOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** How many are on their way, by name. */
  get counts(): ReadonlyMap<string, number> {
    return this.#starting;
  }

  /** How many are on their way in all. */
  get total(): number {
    return [...this.#starting.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Starts one; it no longer counts once this settles. */
  async start(kernelName: string, processProbe: ProcessProbe): Promise<LeasedKernel> {
    const { host, sessionPathPrefix, ...options } = this.#options;
    const path = `${sessionPathPrefix}${randomUUID()}`;
    this.#count(kernelName, 1);
    try {
      return await LeasedKernel.start(host, kernelName, path, { ...options, processProbe }, this.#signal);
    } finally {
      this.#count(kernelName, -1);
    }
  }

  /** Starts one that looks after the others, and is not counted. */
  startWitness(kernelName: string): Promise<LeasedKernel> {
    const { host, sessionPathPrefix, ...options } = this.#options;
    const path = `${sessionPathPrefix}witness-${randomUUID()}`;
    return LeasedKernel.start(host, kernelName, path, options, this.#signal);
  }

  #count(kernelName: string, change: number): void {
    this.#starting.set(kernelName, (this.#starting.get(kernelName) ?? 0) + change);
  }
}
