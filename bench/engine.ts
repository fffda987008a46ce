import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform } from '../platform/platform.ts';
import { KernelPool } from '../workers/executor/kernel/kernel-pool.ts';
import type { StartedLab } from '../workers/executor/lab/start-lab.ts';
import { runNotebook } from '../workers/executor/notebook/run-notebook.ts';
import { parseNotebook } from '../lib/contract/nbformat.ts';
import { notebookOf, type Case } from './cases.ts';
import { startBenchLab } from './lab.ts';

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

  /** Milliseconds of each run of a notebook, with a warm kernel each. */
  async runs(item: Case, count: number): Promise<number[]> {
    const notebook = parseNotebook(JSON.stringify(notebookOf(item)));
    const pool = this.#pool(2);
    const times: number[] = [];
    try {
      for (let n = 0; n <= count; n++) {
        await pool.warm('python3', this.#signal);
        // The machine is quiet before the clock starts: the next kernel's start is not part of this run.
        await sleep(300);
        const begun = performance.now();
        const kernel = await pool.acquire('python3', this.#signal);
        const result = await runNotebook({ notebook, kernel, signal: this.#signal });
        times.push(performance.now() - begun);
        if (result.error ?? result.failure) throw new Error('the notebook failed', { cause: result.failure });
        await pool.release(kernel);
      }
    } finally {
      await pool.close();
    }
    return times.slice(1);
  }

  /** Milliseconds that starting, readying and deleting so many kernels takes by itself, so many at a time. */
  async kernelStarts(count: number, atOnce: number): Promise<number> {
    const { lab } = this.#lab;
    const begun = performance.now();
    let left = count;
    const starter = async () => {
      while (left-- > 0) {
        const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(STEP_MS)]);
        const pool = this.#pool(0);
        const kernel = await pool.acquire('python3', signal);
        await pool.release(kernel);
        await pool.close();
      }
    };
    await lab.kernelSpecs(this.#signal);
    await Promise.all(Array.from({ length: atOnce }, starter));
    return performance.now() - begun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab.stop(AbortSignal.timeout(STEP_MS));
  }

  #pool(size: number): KernelPool {
    return new KernelPool({
      host: this.#lab.lab,
      sessionPathPrefix: 'bench/',
      size,
      maxKernels: Math.max(size, 1) * 2,
    });
  }
}
