import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { wantedCases } from '../../../action/cases.ts';
import type { Inputs } from '../../../action/inputs.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-cases-'));
  mkdirSync(join(dir, 'sub'));
  for (const path of ['a.ipynb', 'sub/b.ipynb']) writeFileSync(join(dir, path), '{}');
});
afterEach(() => rmSync(dir, { recursive: true }));

const INPUTS: Inputs = {
  baseUrl: 'https://data.example.org/noteburst',
  token: undefined,
  exchange: undefined,
  paths: [],
  suite: undefined,
  exclude: [],
  changedOnly: false,
  options: {},
  jobs: 1,
  failFast: false,
  previous: undefined,
  baseline: undefined,
  artifact: undefined,
};

async function planned(
  inputs: Partial<Inputs>,
  suiteFiles: Record<string, string> = {},
): Promise<unknown[][]> {
  for (const [path, text] of Object.entries(suiteFiles)) writeFileSync(join(dir, path), text);
  const { cases } = await wantedCases({ ...INPUTS, ...inputs }, dir, { name: 'push', payload: {} });
  return cases.map(({ path, options }) => [path, options.priority]);
}

test('are those of the paths, from the top of the repository', async () => {
  expect(await planned({ paths: ['sub'] })).toEqual([['sub/b.ipynb', 'ci']]);
});

test("are those of the repository's suite file", async () => {
  const suite = { 'noteburst.yaml': 'defaults: { priority: batch }' };
  expect(await planned({}, suite)).toEqual([
    ['a.ipynb', 'batch'],
    ['sub/b.ipynb', 'batch'],
  ]);
});

test('are those of a suite file elsewhere, from its folder', async () => {
  const suite = { 'sub/other.yaml': 'name: Other' };
  expect(await planned({ suite: 'sub/other.yaml' }, suite)).toEqual([['b.ipynb', 'ci']]);
});

test('have the priority of the workflow rather than of the suite file', async () => {
  const suite = { 'noteburst.yaml': 'defaults: { priority: batch }' };
  const [first] = await planned({ options: { priority: 'interactive' } }, suite);
  expect(first).toEqual(['a.ipynb', 'interactive']);
});

test.each([
  [{}, {}, 'Which notebooks?'],
  [{ suite: 'none.yaml' }, {}, 'none.yaml: there is no such file'],
  [{}, { 'noteburst.yaml': 'regression: { against: last }' }, 'Set the input baseline'],
])('are none with %j and %j', async (inputs, suiteFiles, message) => {
  await expect(planned(inputs, suiteFiles)).rejects.toThrow(message);
});
