import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleCommand, packageCommand } from '../../build/command.ts';
import { ROOT } from '../../platform/state.ts';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { server } from './support/command.ts';

const dir = mkdtempSync(join(tmpdir(), 'noteburst-package-'));
const home = join(dir, 'home');
const user = join(dir, 'user');
const bin = join(user, 'node_modules/.bin');

/** As a user without any settings, and without a registry: what has no dependencies needs none. */
async function as(cwd: string, program: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: home,
    SHELL: '/bin/bash',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
    NOTEBURST_BASE_URL: server.baseUrl,
    NOTEBURST_TOKEN: server.token,
  };
  const { stdout } = await promisify(execFile)(program, args, { cwd, env, timeout: 60_000 });
  return stdout;
}

let packed: { filename: string; size: number; files: { path: string }[] };
beforeAll(async () => {
  for (const folder of [home, user]) mkdirSync(folder);
  mkdirSync(join(dir, 'dist/package'), { recursive: true });
  writeFileSync(join(dir, 'dist/package/of-an-earlier-build.mjs'), '');
  packageCommand(await bundleCommand(join(dir, 'dist')), join(dir, 'dist/package'));
  const said = await as(dir, 'npm', 'pack', '--json', './dist/package');
  packed = (JSON.parse(said) as [typeof packed])[0];
  await as(user, 'npm', 'install', '--no-audit', '--no-fund', join(dir, packed.filename));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('the package is small, and brings nothing along', () => {
  expect(packed.files.map(({ path }) => path).toSorted()).toEqual([
    'LICENSE',
    'LICENSES.txt',
    'noteburst.mjs',
    'package.json',
  ]);
  expect(packed.size).toBeLessThan(500_000);
  expect(readdirSync(join(user, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
    'noteburst',
  ]);
});

test('the package has the licences of what is bundled', () => {
  const text = readFileSync(join(user, 'node_modules/noteburst/LICENSES.txt'), 'utf8');
  expect(text).toMatch(/^yargs \d\S*: MIT\n\n/m);
  expect(text).toContain('Permission is hereby granted');
});

test('npx runs it', async () => {
  expect(await as(user, 'npx', 'noteburst', '--help')).toContain('noteburst run [paths..]');
  expect(existsSync(join(home, '.config'))).toBe(false);
  writeNotebook(join(user, 'a.ipynb'), ['1']);
  expect(await as(user, 'npx', 'noteburst', 'run', 'a.ipynb', '--kernel', 'python3')).toContain('1 passed');
});

test.each([
  ['r', 'run'],
  ['run --ti', '--timeout'],
  ['suite n', 'notebook'],
  ['run --priority i', 'interactive'],
])('bash completes "noteburst %s"', async (typed, completed) => {
  const script = `eval "$(noteburst completion)"
set -- $(complete -p noteburst); while [ "$1" != -F ]; do shift; done
COMP_WORDS=(noteburst ${typed}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); "$2"; echo "\${COMPREPLY[@]}"`;
  expect((await as(user, 'bash', '-c', script)).trim()).toBe(completed);
});

test("a checkout that is built has the command, too, by the project's own bin", async () => {
  const checkout = join(dir, 'checkout');
  cpSync(join(dir, 'dist'), join(checkout, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(checkout, 'package.json'));
  expect(await as(checkout, 'npx', 'noteburst', '--help')).toContain('noteburst run [paths..]');
});

test('the project itself, which has the dependencies of the servers, is not packed by accident', async () => {
  await expect(as(ROOT, 'npm', 'pack', '--dry-run')).rejects.toThrow('npm pack ./dist/package');
});
