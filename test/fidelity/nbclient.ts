import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Notebook } from '../../lib/contract/nbformat.ts';
import { platform } from '../support/platform.ts';

/** How nbclient's run of a notebook ended. */
export interface NbclientOutcome {
  notebook: Notebook;
  error?: { name: string; message: string };
  died?: true;
}

type Files = { name: string; path: string }[];

/** Runs notebooks through nbclient in the platform's Python environment, with the lab's kernels. */
export function runWithNbclient(dir: string, notebooks: Files): Promise<Record<string, NbclientOutcome>> {
  return python('nbclient_corpus.py', ['run'], { dir, notebooks });
}

/** Makes the kernel `bash`, whose package is in the environment, known to it: pip has no way to. */
export async function installBashKernel(): Promise<void> {
  const { venvDir } = platform();
  if (existsSync(join(venvDir, 'share/jupyter/kernels/bash'))) return;
  const args = ['-m', 'bash_kernel.install', '--sys-prefix'];
  await promisify(execFile)(join(venvDir, 'bin', 'python'), args);
}

/** What nbformat.validate says against each notebook; null when nothing. */
export function validate(notebooks: Files): Promise<Record<string, string | null>> {
  return python('nbclient_corpus.py', ['validate'], { notebooks });
}

/** Runs a script of this folder: JSON on its stdin, the name of a file for its answer as last argument. */
export async function python<T>(script: string, args: string[], input: unknown): Promise<T> {
  const { venvDir, scratchDir } = platform();
  const answer = join(mkdtempSync(join(scratchDir, 'python-')), 'answer.json');
  const running = promisify(execFile)(
    join(venvDir, 'bin', 'python'),
    [join(import.meta.dirname, script), ...args, answer],
    {
      // As the lab's environment: a home of its own, the environment's programs before the system's.
      env: {
        HOME: scratchDir,
        PATH: `${join(venvDir, 'bin')}:/usr/local/bin:/usr/bin:/bin`,
        LANG: process.env['LANG'] ?? 'C.UTF-8',
      },
      maxBuffer: 2 ** 28,
    },
  );
  running.child.stdin?.end(JSON.stringify(input));
  await running;
  return JSON.parse(readFileSync(answer, 'utf8')) as T;
}
