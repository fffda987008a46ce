import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SuiteError } from '../../../suite/suite-file.ts';
import { isWanted, planned } from '../../../workers/courier/suites/planned.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-planned-'));
  for (const path of ['a.ipynb', 'docs/b.md', 'sub/c.ipynb']) write(path, '');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}
const plan = (yaml: string, submodules: string[] = []) => {
  write('noteburst.yaml', yaml);
  return planned({ dir, links: [], submodules });
};

test('only what may be needed is taken out of a repository', () => {
  const paths = ['noteburst.yaml', 'a/noteburst.yaml', 'a.ipynb', 'a/b.md', 'c.py', 'data.csv', 'setup.cfg'];
  expect(paths.filter(isWanted)).toEqual(['noteburst.yaml', 'a.ipynb', 'a/b.md', 'c.py']);
});

test('a repository without a suite file has no suite', async () => {
  expect(await planned({ dir, links: ['a.md'], submodules: [] })).toBeUndefined();
});

test('a suite file that is a link is not one that is not there', async () => {
  const found = planned({ dir, links: ['noteburst.yaml'], submodules: [] });
  await expect(found).rejects.toThrow(SuiteError);
  await expect(found).rejects.toThrow('noteburst.yaml: is a link');
});

test('all of it waits behind those who wait themselves, whatever the file says', async () => {
  const found = await plan(
    'defaults: { priority: interactive }\nnotebooks: [{ match: a.ipynb, priority: interactive }]',
  );
  expect(found?.cases.map(({ name, options }) => [name, options.priority])).toEqual([
    ['a.ipynb', 'batch'],
    ['sub/c.ipynb', 'batch'],
  ]);
  expect(found?.notes).toEqual([]);
});

test.each([
  '../*.ipynb',
  '/etc/*.md',
  'docs/../../*.md',
  '{..,docs}/*.md',
  String.raw`\\host\x.md`,
  'c:/x.md',
])('patterns do not lead out: %s', async (pattern) => {
  await expect(plan(`include: ['${pattern}']`)).rejects.toThrow(SuiteError);
  await expect(plan(`include: ['${pattern}']`)).rejects.toThrow('leads out of the repository');
});

describe('submodules', () => {
  test.each(['vendor/a.ipynb', 'vendor/*.ipynb', './vendor/**/*.md', 'vendor'])(
    'are refused where they are asked for: %s',
    async (pattern) => {
      await expect(plan(`include: ["${pattern}"]`, ['vendor'])).rejects.toThrow(
        /is in the submodule vendor\. Submodules are not fetched/,
      );
    },
  );

  test('are told of where patterns would reach them, unless they are left out', async () => {
    expect((await plan('', ['vendor/x', 'other']))?.notes).toEqual([
      'Submodules are not fetched; nothing of `vendor/x`, `other` was run.',
    ]);
    expect((await plan('exclude: ["vendor/**", other]', ['vendor/x', 'other']))?.notes).toEqual([]);
  });
});

test('too many are refused', async () => {
  const sets = Array.from({ length: 501 }, (_, n) => `s${n}: { n: ${n} }`).join(', ');
  await expect(plan(`notebooks: [{ match: a.ipynb, parameter_sets: { ${sets} } }]`)).rejects.toThrow(
    'it has 502 notebooks to run; 500 are taken',
  );
});
