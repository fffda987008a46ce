import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const DIR = join(import.meta.dirname, '../../../action');
const read = (file: string) => readFileSync(join(DIR, file), 'utf8');

/** The names in the first column of a section's table. */
function documented(section: string): string[] {
  const [, text = ''] = read('README.md').split(`\n## ${section}\n`);
  const [table = ''] = text.split('\n## ');
  return [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string),
  );
}

const action = parse(read('action.yml')) as Record<'inputs' | 'outputs', object>;

test('every input is documented, and read', () => {
  const names = Object.keys(action.inputs).toSorted();
  expect(documented('Inputs').toSorted()).toEqual(names);
  const code = read('inputs.ts');
  expect(names.filter((name) => !code.includes(`('${name}')`))).toEqual([]);
});

test('every output is documented', () => {
  expect(documented('Outputs').toSorted()).toEqual(Object.keys(action.outputs).toSorted());
});
