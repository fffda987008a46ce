import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform } from '../platform/platform.ts';
import type { LeasedKernel } from '../workers/executor/kernel/leased-kernel.ts';
import { KernelPool } from '../workers/executor/kernel/kernel-pool.ts';
import type { StartedLab } from '../workers/executor/lab/start-lab.ts';
import { runNotebook } from '../workers/executor/notebook/run-notebook.ts';
import { parseNotebook } from '../lib/contract/nbformat.ts';
import { notebookOf, type Case } from './cases.ts';
import { startBenchLab } from './lab.ts';
import { timed } from './statistics.ts';

const STEP_MS = 60_000;

/** The executor's engine by itself: a lab and warm kernels, without HTTP, queue and Redis around them. */
export class Engine implements AsyncDisposable {
  readonly #lab: StartedLab;
  readonly #signal: AbortSignal;

  private constructor(lab: StartedLab, signal: AbortSignal) {
    this.#lab = lab;
    this.#signal = signal;
  }

  static async start(platform: Platform, signal: AbortSignal): Promise<Engine> {
    const lab = await startBenchLab(platform, signal);
    return new Engine(lab, signal);
  }

  /** Milliseconds of each run of a notebook, or of so many at once, with a warm kernel each. */
  async runs(item: Case, count: number, atOnce = 1): Promise<number[]> {
    const notebook = parseNotebook(JSON.stringify(notebookOf(item)));
    const pool = this.#pool(2 * atOnce, 4 * atOnce);
    const times: number[] = [];
    try {
      for (let n = 0; n <= count; n++) {
        await pool.warm('python3', this.#signal);
        // The machine is quiet before the clock starts: the next kernel's start is not part of this run.
        await sleep(300);
        const kernels: LeasedKernel[] = [];
        const run = async () => {
          const kernel = await pool.acquire('python3', this.#signal);
          kernels.push(kernel);
          const result = await runNotebook({ notebook, kernel, signal: this.#signal });
          if (result.error ?? result.failure)
            throw new Error('the notebook failed', { cause: result.failure });
        };
        times.push(await timed(() => Promise.all(Array.from({ length: atOnce }, run))));
        await Promise.all(kernels.map((kernel) => pool.release(kernel)));
      }
    } finally {
      await pool.close();
    }
    return times.slice(1);
  }

  /** Milliseconds that starting, readying and deleting so many kernels takes by itself, so many at a time. */
  async kernelStarts(count: number, atOnce: number): Promise<number> {
    const pool = this.#pool(0, 2 * atOnce);
    let left = count;
    const starter = async () => {
      while (left-- > 0) {
        const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(STEP_MS)]);
        await pool.release(await pool.acquire('python3', signal));
      }
    };
    try {
      return await timed(() => Promise.all(Array.from({ length: atOnce }, starter)));
    } finally {
      await pool.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab.stop(AbortSignal.timeout(STEP_MS));
  }

  #pool(size: number, maxKernels: number): KernelPool {
    return new KernelPool({ host: this.#lab.lab, sessionPathPrefix: 'bench/', size, maxKernels });
  }
}
