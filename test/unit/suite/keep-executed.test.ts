import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepExecuted } from '../../../suite/keep-executed.ts';
import { readSource } from '../../../suite/source/source.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-kept-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  ['a/b.ipynb', 'a/b.ipynb', 'a/b.ipynb'],
  ['a/b.ipynb', 'a/b.ipynb [small set]', 'a/b.small-set.ipynb'],
  ['../b.ipynb', '../b.ipynb', 'b.ipynb'],
  ['a/b.py', 'a/b.py', 'a/b.py.ipynb'],
  ['b.md', 'b.md [small]', 'b.md.small.ipynb'],
])('what came of %s, as %s, is kept as %s', async (path, name, kept) => {
  const source = readSource('x.py', 'a = 1');
  const which = { path, name, file: path, options: {} };
  await keepExecuted({ out: dir })(which, 'executed', { source, isWell: true });
  expect(readFileSync(join(dir, kept), 'utf8')).toBe('executed');
});

test('what is kept as text has no outputs to be compared with', async () => {
  const source = readSource('b.py', '1 + 1');
  const cell = source.notebook.cells[0];
  const outputs = [
    { output_type: 'execute_result', data: { 'text/plain': '2' }, metadata: {}, execution_count: 1 },
  ];
  const executed = JSON.stringify({ ...source.notebook, cells: [{ ...cell, outputs }] });
  const keep = keepExecuted({ regression: { against: 'committed' } as never });
  const which = { path: 'b.py', name: 'b.py', file: 'b.py', options: {} };
  expect(await keep(which, executed, { source, isWell: true })).toEqual({
    warnings: ['There are no earlier outputs to compare with'],
  });
  expect(existsSync(join(dir, 'b.py.ipynb'))).toBe(false);
});
