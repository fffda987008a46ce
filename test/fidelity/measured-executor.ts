import { readFileSync, writeFileSync } from 'node:fs';
import { parseNotebook, type CodeCell, type Output } from '../../lib/contract/nbformat.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';

const MIB = 2 ** 20;
const toMib = (bytes: number): number => Math.round(bytes / MIB);

/**
 * What an executor may grow by, in bytes, whatever notebooks put out. 110 to 135 MiB are measured; up to 172 MiB where
 * other processes take the CPU that V8's collector wants beside the main thread.
 */
export const MAX_GROWTH_BYTES = 200_000_000;

/** The notice where output was cut. */
export const CUT = /Output was cut here: a notebook may have 24 MiB in 100,000 outputs/;

/** The outputs of a job's cells, all of them code, as far as they were run. */
export const outputsOf = ({ ipynb, partial_ipynb }: NotebookResponse): Output[][] =>
  parseNotebook(ipynb ?? partial_ipynb ?? '').cells.map((cell) => (cell as CodeCell).outputs);

/** A service whose one executor's memory is watched. */
export class MeasuredExecutor implements AsyncDisposable {
  readonly #stack: Stack;
  readonly #pid: number;
  /** Before any large notebook, in bytes. */
  #rssBefore = 0;

  private constructor(stack: Stack, pid: number) {
    this.#stack = stack;
    this.#pid = pid;
  }

  static async start(): Promise<MeasuredExecutor> {
    const stack = await Stack.start({ executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '2' } });
    const executor = await stack.startExecutor();
    await executor.ready();
    const measured = new MeasuredExecutor(stack, executor.process.pid ?? 0);
    await measured.run(['1'], 10_000); // loads and compiles what every job needs
    measured.#rssBefore = measured.#memory('VmRSS');
    return measured;
  }

  async run(sources: string[], timeoutMs: number): Promise<NotebookResponse> {
    const notebook = ipynb({ cells: sources.map(codeCell) });
    const id = await this.#stack.submit(notebook, { kernel_name: 'python3' });
    return this.#stack.untilComplete(id, { timeoutMs, everyMs: 200 });
  }

  /** Runs a notebook and tells by how many bytes the executor grew at most, by the system's own high-water mark. */
  async runMeasured(sources: string[]): Promise<{ job: NotebookResponse; growth: number }> {
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5'); // the mark starts anew
    const job = await this.run(sources, 100_000);
    const growth = this.#memory('VmHWM') - this.#rssBefore;
    console.log(`the executor had ${toMib(this.#rssBefore)} MiB and grew by ${toMib(growth)} MiB`);
    return { job, growth };
  }

  /** A line of the executor's /proc/PID/status, in bytes. */
  #memory(line: 'VmRSS' | 'VmHWM'): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack[Symbol.asyncDispose]();
  }
}
