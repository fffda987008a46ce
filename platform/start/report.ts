import { writeFile } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';
import { run } from '../process/run.ts';
import { pythonOf } from '../setup/venv.ts';
import type { Job } from './job-client.ts';

const Cells = z.object({
  cells: z.array(
    z.looseObject({
      source: z.union([z.string(), z.array(z.string())]).optional(),
      outputs: z
        .array(z.looseObject({ output_type: z.string(), traceback: z.array(z.string()).optional() }))
        .optional(),
    }),
  ),
});

/** A line for each cell as it is done, from what the polls say. */
export class CellProgress {
  readonly #say: (line: string) => void;
  readonly #started = performance.now();
  #done = 0;
  #phase = '';

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  show(job: Job): void {
    const phase = job.phase ?? job.status;
    const ended = job.status === 'complete';
    if (!ended) this.#showPhase(phase);
    // Several cells may have been done between two polls.
    const { cells_done = 0, cells_total = 0 } = job.progress ?? {};
    while (this.#done < cells_done) {
      this.#done++;
      const bar = '█'.repeat(this.#done).padEnd(cells_total, '░');
      this.#say(
        `  ${this.#seconds()}  cell ${this.#done} of ${cells_total}${cells_total <= 40 ? `  ${bar}` : ''}`,
      );
    }
    if (ended) this.#showPhase(phase);
  }

  #showPhase(phase: string): void {
    if (phase !== this.#phase) this.#say(`  ${this.#seconds()}  ${phase}`);
    this.#phase = phase;
  }

  #seconds(): string {
    return `${((performance.now() - this.#started) / 1000).toFixed(1).padStart(5)} s`;
  }
}

/** Writes the executed notebook and an HTML page of it; answers their paths. */
export async function writeResults(
  ipynb: string,
  { name, outDir, venvDir, homeDir, signal }: ResultTarget,
): Promise<string[]> {
  mkdirSync(outDir, { recursive: true });
  const path = join(outDir, `${name}.ipynb`);
  await writeFile(path, ipynb);
  const args = ['-m', 'nbconvert', '--to', 'html', '--log-level', 'ERROR', '--output-dir', outDir, path];
  // A home of its own: nothing of the person's Jupyter settings may change the page.
  const env = { PATH: process.env['PATH'], HOME: homeDir, IPYTHONDIR: join(homeDir, '.ipython') };
  await run(pythonOf(venvDir), args, { env, signal, timeoutMs: 120_000 });
  return [path, join(outDir, `${name}.html`)];
}

export interface ResultTarget {
  name: string;
  outDir: string;
  venvDir: string;
  homeDir: string;
  signal: AbortSignal;
}

/** What went wrong, for a person: nothing when all is well. */
export function problemOf(job: Job): string | undefined {
  if (job.ipynb_error) {
    const traceback = job.ipynb === undefined ? '' : tracebackIn(job.ipynb);
    return `The notebook raised ${job.ipynb_error.name}: ${job.ipynb_error.message}${traceback && `\n\n${traceback}`}`;
  }
  if (job.success === false || job.error) {
    return `The job failed: ${job.error?.code ?? 'unknown'}${job.error?.message ? `: ${job.error.message}` : ''}`;
  }
  return undefined;
}

/** The traceback in the outputs, without its colours, shortened in the middle when it is long. */
export function tracebackIn(ipynb: string): string {
  const parsed = Cells.safeParse(JSON.parse(ipynb));
  const errors = (parsed.data?.cells ?? []).flatMap(({ outputs = [] }, index) =>
    outputs.flatMap(({ output_type, traceback = [] }) =>
      output_type === 'error' ? [{ index, traceback }] : [],
    ),
  );
  const [error] = errors;
  if (!error) return '';
  const lines = stripVTControlCharacters(error.traceback.join('\n')).split('\n');
  const shown =
    lines.length > 30
      ? [...lines.slice(0, 15), `… ${lines.length - 30} lines …`, ...lines.slice(-15)]
      : lines;
  return [`In cell ${error.index + 1}:`, ...shown].map((line) => `  ${line}`).join('\n');
}

/** A path as a person would type it here. */
export const shown = (path: string): string => {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
};
