import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonOf } from '../../../platform/setup/venv.ts';
import type { SuiteCase } from '../../../suite/plan.ts';
import { superNotebook } from '../../../suite/super-notebook/super-notebook.ts';
import { server } from './command.ts';

/** Runs the program of a super-notebook in a folder, as a process that is interrupted like a kernel. */
export function startSuperNotebook(
  dir: string,
  baseUrl: string,
  cases: readonly SuiteCase[],
  atOnce: number,
): ChildProcess & { printed: () => string } {
  const { cells } = JSON.parse(superNotebook('x', cases, atOnce)) as {
    cells: { cell_type: string; source: string[] }[];
  };
  const code = cells.filter(({ cell_type: type }) => type === 'code').map(({ source }) => source.join(''));
  // Tables as text, so that they can be read here.
  writeFileSync(join(dir, 'suite.py'), `${code.join('\n\n')}\n`.replace('return HTML(', 'return print('));
  const child = spawn(pythonOf(server.venvDir ?? ''), ['-m', 'IPython', '--no-banner', 'suite.py'], {
    cwd: dir,
    env: { ...process.env, HOME: dir, NOTEBURST_BASE_URL: `${baseUrl}/`, NOTEBURST_TOKEN: 'gt-a.b' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 45_000,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += String(data)));
  return Object.assign(child, { printed: () => printed });
}
