import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../platform/state.ts';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { Command } from './support/command.ts';

const command = new Command();

/** A Node of the machine's that is older than the project's own. */
function olderNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => !dir.startsWith(ROOT));
  return folders
    .map((dir) => join(dir, 'node'))
    .filter((path) => existsSync(path))
    .find((path) => Number(/^v(\d+)/.exec(execFileSync(path, ['--version']).toString())?.[1]) < 24);
}

test('the command runs on an older Node, without a word of its own', async (context) => {
  const node = olderNode();
  if (node === undefined) {
    console.log('skipped: this machine has no Node older than 24 on its PATH');
    return context.skip();
  }
  for (let n = 0; n < 12; n++) writeNotebook(join(command.dir, `n${n}.ipynb`), [`print(${n})`]);
  const args = [
    'run',
    '.',
    '--kernel',
    'python3',
    '--html',
    'r.html',
    '--junit',
    'r.xml',
    '--markdown',
    'r.md',
  ];
  const { code, stdout, stderr } = await command.run(args, { node });
  expect(stderr).toBe('');
  expect(stdout).toContain('12 passed in');
  expect(code).toBe(0);
});
