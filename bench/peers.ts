import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonOf } from '../platform/setup/venv.ts';
import { ROOT } from '../platform/state.ts';
import { notebookOf, type Case } from './cases.ts';
import { timed } from './statistics.ts';

const run = promisify(execFile);

/** What else runs notebooks, from the Python environment that the labs use, with the same kernel. */
export class Peers {
  readonly #python: string;
  readonly #dir: string;
  readonly #signal: AbortSignal;

  constructor(venvDir: string, dir: string, signal: AbortSignal) {
    this.#python = pythonOf(venvDir);
    this.#dir = dir;
    this.#signal = signal;
  }

  /** Milliseconds of nbclient's runs, all in one process. */
  async nbclient(item: Case, runs: number): Promise<number[]> {
    const { stdout } = await this.#run([join(ROOT, 'bench/peers.py'), this.#write(item), String(runs)]);
    return JSON.parse(stdout) as number[];
  }

  /** Milliseconds of the cells alone in a warm kernel over its own sockets: what no client can go below. */
  async kernelAlone(item: Case, runs: number): Promise<number[]> {
    const { stdout } = await this.#run([join(ROOT, 'bench/kernel.py'), this.#write(item), String(runs)]);
    return JSON.parse(stdout) as number[];
  }

  /** papermill's command line, which imports and starts anew for each notebook. */
  async papermill(item: Case, runs: number): Promise<number[]> {
    const path = this.#write(item);
    const output = join(this.#dir, 'papermill.ipynb');
    const args = [
      '-m',
      'papermill',
      '--no-progress-bar',
      '--log-level',
      'ERROR',
      '-k',
      'python3',
      path,
      output,
    ];
    return this.#times(args, runs);
  }

  /** `jupyter nbconvert --execute`. */
  async nbconvert(item: Case, runs: number): Promise<number[]> {
    const path = this.#write(item);
    const args = ['-m', 'nbconvert', '--to', 'notebook', '--execute', '--output', 'nbconvert.ipynb', path];
    return this.#times(args, runs);
  }

  async #times(args: string[], runs: number): Promise<number[]> {
    const times: number[] = [];
    for (let n = 0; n <= runs; n++) times.push(await timed(() => this.#run(args)));
    return times.slice(1);
  }

  #write(item: Case): string {
    const path = join(this.#dir, `${item.name}.ipynb`);
    writeFileSync(path, JSON.stringify(notebookOf(item)));
    return path;
  }

  #run(args: string[]) {
    return run(this.#python, args, { cwd: this.#dir, signal: this.#signal, maxBuffer: 64 * 1024 * 1024 });
  }
}
