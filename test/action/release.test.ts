import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { tagWithFiles } from '../../build/release-tag.ts';
import { Repository } from './support/repository.ts';

let repository: Repository;
let clone: string;
const git = (...args: string[]) => execFileSync('git', ['-C', clone, ...args], { encoding: 'utf8' }).trim();

beforeEach(() => {
  for (const who of ['AUTHOR', 'COMMITTER']) {
    vi.stubEnv(`GIT_${who}_NAME`, 'A');
    vi.stubEnv(`GIT_${who}_EMAIL`, 'a@example.org');
  }
  repository = new Repository({ '.gitignore': 'dist/\n', 'action.yml': 'x' });
  clone = repository.checkout();
  mkdirSync(join(clone, 'dist/parts'), { recursive: true });
  for (const file of ['a.mjs', 'a.mjs.map', 'parts/b.mjs', 'parts/c.txt'])
    writeFileSync(join(clone, 'dist', file), file);
});
afterEach(() => {
  repository[Symbol.dispose]();
  vi.unstubAllEnvs();
});

test('the tag has what was built, and HEAD stays as it is', () => {
  const head = git('rev-parse', 'HEAD');
  const commit = tagWithFiles(clone, 'v1.0.0', ':(glob)dist/**/*.mjs', ':(glob)dist/**/*.txt');
  expect(git('rev-parse', 'v1.0.0^{commit}', 'HEAD')).toBe(`${commit}\n${head}`);
  expect(git('rev-parse', 'v1.0.0^{commit}^')).toBe(head);
  expect(git('ls-tree', '-r', '--name-only', 'v1.0.0').split('\n')).toEqual([
    '.gitignore',
    'action.yml',
    'dist/a.mjs',
    'dist/parts/b.mjs',
    'dist/parts/c.txt',
  ]);
  expect(git('status', '--porcelain')).toBe('');
});

test('there is none while something is not committed', () => {
  writeFileSync(join(clone, 'action.yml'), 'y');
  expect(() => tagWithFiles(clone, 'v1.0.0', 'dist')).toThrow('Commit these first');
  expect(git('tag')).toBe('');
});
