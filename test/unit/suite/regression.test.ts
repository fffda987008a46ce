import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkNotebook, type Notebook } from '../../../lib/contract/nbformat.ts';
import { compareOutputs, hasOutputs } from '../../../suite/regression/compare-outputs.ts';
import { regressionOptions } from '../../../suite/regression/options.ts';
import { notebook } from '../../support/notebooks.ts';

const options = (parts: object = {}) => regressionOptions.parse({ against: 'committed', ...parts });

interface CellParts {
  source?: string;
  id?: string;
  tags?: string[];
  execution_count?: number | null;
}

const cell = (outputs: object[], parts: CellParts = {}): object => {
  const { tags, source = 'print(1)', execution_count = 1, id } = parts;
  const metadata = tags ? { tags } : {};
  return {
    cell_type: 'code',
    source,
    metadata,
    outputs,
    execution_count,
    ...(id === undefined ? {} : { id }),
  };
};
const of = (...cells: object[]): Notebook => checkNotebook(notebook({ cells }));
const stream = (text: string, name = 'stdout') => ({ output_type: 'stream', name, text });
const data = (bundle: object, output_type = 'display_data') => ({ output_type, data: bundle, metadata: {} });

/** Whether outputs of one cell are taken for different. */
const differ = (now: object[], then: object[], parts: object = {}): boolean =>
  compareOutputs(of(cell(now)), of(cell(then)), options(parts)).length > 0;

describe('outputs that are the same to their reader', () => {
  test.for<[what: string, now: object[], then: object[]]>([
    ['cut elsewhere', [stream('a\n'), stream('b\n')], [stream('a\nb\n')]],
    ['mixed otherwise', [stream('e', 'stderr'), stream('o')], [stream('o'), stream('e', 'stderr')]],
    ['as lines', [{ ...stream(''), text: ['a\n', 'b'] }], [stream('a\nb')]],
    ['displayed or returned', [data({ 'text/plain': '1' })], [data({ 'text/plain': '1' }, 'execute_result')]],
    [
      'with other counts',
      [{ ...data({ a: '1' }, 'execute_result'), execution_count: 9 }],
      [data({ a: '1' }, 'execute_result')],
    ],
    ['with other metadata', [{ ...data({ a: '1' }), metadata: { a: 1 } }], [data({ a: '1' })]],
    [
      'JSON in another order',
      [data({ 'application/json': { a: 1, b: [2] } })],
      [data({ 'application/json': { b: [2], a: 1 } })],
    ],
    [
      'types in another order',
      [data({ 'text/a': 'a', 'text/b': 'b' })],
      [data({ 'text/b': 'b', 'text/a': 'a' })],
    ],
    ['another picture', [data({ 'image/png': 'AAAA' })], [data({ 'image/png': 'BBBB' })]],
    [
      'another traceback',
      [{ output_type: 'error', ename: 'E', evalue: 'v', traceback: ['/a'] }],
      [{ output_type: 'error', ename: 'E', evalue: 'v', traceback: ['/b'] }],
    ],
    [
      'a widget of another id',
      [data({ 'application/vnd.jupyter.widget-view+json': { model_id: 'a'.repeat(32), version_major: 2 } })],
      [data({ 'application/vnd.jupyter.widget-view+json': { model_id: 'b'.repeat(32), version_major: 2 } })],
    ],
    ['other space at the end of lines', [stream('a \nb\n\n')], [stream('a\nb')]],
  ])('%s', ([, now, then]) => {
    expect(differ(now, then)).toBe(false);
  });
});

describe('outputs that differ', () => {
  test.for<[what: string, now: object[], then: object[], parts?: object]>([
    ['by a word', [stream('a')], [stream('b')]],
    ['by the stream', [stream('a')], [stream('a', 'stderr')]],
    ['by being there', [stream('a')], []],
    ['by being gone', [], [stream('a')]],
    ['by a picture that is gone', [], [data({ 'image/png': 'AAAA' })]],
    [
      'by a picture, when that is asked for',
      [data({ 'image/png': 'AAAA' })],
      [data({ 'image/png': 'BBBB' })],
      { ignore: [] },
    ],
    ['by the type of data', [data({ 'text/plain': 'a' })], [data({ 'text/html': 'a' })]],
    ['by the order of displays', [data({ a: '1' }), data({ a: '2' })], [data({ a: '2' }), data({ a: '1' })]],
    [
      'by a value in JSON',
      [data({ 'application/json': { a: 1 } })],
      [data({ 'application/json': { a: 2 } })],
    ],
    [
      'by the error',
      [{ output_type: 'error', ename: 'E', evalue: 'v', traceback: [] }],
      [{ output_type: 'error', ename: 'E', evalue: 'w', traceback: [] }],
    ],
    ['by 32 digits that are no widget’s', [stream('a'.repeat(32))], [stream('b'.repeat(32))]],
  ])('%s', ([, now, then, parts]) => {
    expect(differ(now, then, parts)).toBe(true);
  });

  test('are shown as a unified diff, with the cell', () => {
    const lines = (changed: string) => `1\n2\n3\n4\n${changed}\n6\n7\n8\n9\n`;
    const markdown = { cell_type: 'markdown', source: '# A', metadata: {} };
    const differences = compareOutputs(
      of(markdown, cell([stream('same')]), cell([stream(lines('new'))])),
      of(markdown, cell([stream('same')]), cell([stream(lines('old'))])),
      options(),
    );
    expect(differences).toEqual([
      { cell: 2, diff: '--- reference\n+++ this run\n@@ -3,7 +3,7 @@\n 2\n 3\n 4\n-old\n+new\n 6\n 7\n 8' },
    ]);
  });

  test('of types that are ignored do not count, whatever the suite names', () => {
    const [now, then] = [
      [data({ 'text/html': '<b>', 'text/plain': 'a' })],
      [data({ 'text/html': '<i>', 'text/plain': 'a' })],
    ];
    expect(differ(now, then)).toBe(true);
    expect(differ(now, then, { ignore: ['text/html'] })).toBe(false);
    expect(differ(now, then, { ignore: ['text/*'] })).toBe(false);
    expect(differ(now, then, { ignore: ['text/htm'] })).toBe(true);
  });

  test('are bounded, however much they are', () => {
    const text = (seed: string) =>
      Array.from({ length: 900 }, (_, n) => `${seed} ${n} ${'x'.repeat(2_000)}`).join('\n');
    const cells = (seed: string) => of(...Array.from({ length: 40 }, () => cell([stream(text(seed))])));
    const differences = compareOutputs(cells('a'), cells('b'), options());
    expect(differences).toHaveLength(40);
    expect(differences.map(({ diff }) => diff).join('').length).toBeLessThan(300 * 1024);
    expect(differences[0]?.diff).toContain('the rest of the difference is left out');
    expect(differences.at(-1)?.diff).toContain('too many differences');
  });

  test('in more lines than a diff is made for are told as such', () => {
    const text = (seed: string) => Array.from({ length: 5_000 }, (_, n) => `${seed}${n}`).join('\n');
    const [difference] = compareOutputs(
      of(cell([stream(text('a'))])),
      of(cell([stream(text('b'))])),
      options(),
    );
    expect(difference?.diff).toBe('More than 1000 lines differ.');
  });
});

describe('cells', () => {
  const then = (parts?: CellParts) => cell([stream('then')], parts);
  const now = (parts?: CellParts) => cell([stream('now')], parts);
  const found = (executed: Notebook, reference: Notebook, parts?: object) =>
    compareOutputs(executed, reference, options(parts)).map(({ cell: index }) => index);

  test('are found though parameters were injected into one of the notebooks', () => {
    const injected = cell([stream('x')], { tags: ['injected-parameters'], source: 'n = 1' });
    expect(found(of(injected, now(), now()), of(then(), then()))).toEqual([1, 2]);
    expect(found(of(now()), of(injected, then()))).toEqual([0]);
  });

  test('are found by their id, though text was moved and ids are new', () => {
    const text = { cell_type: 'markdown', source: 'new', metadata: {} };
    expect(found(of(text, now({ id: 'a' })), of(then({ id: 'a' })))).toEqual([1]);
    expect(found(of(now({ id: 'a' })), of(then({ id: 'b' })))).toEqual([0]);
    const [first, second] = [
      { id: 'a', source: 'a' },
      { id: 'b', source: 'b' },
    ];
    expect(found(of(now(second), now(first)), of(then(first), then(second)))).toEqual([0, 1]);
  });

  test('are compared up to the first whose source is another one', () => {
    expect(found(of(now(), now({ source: 'print(2)' }), now()), of(then(), then(), then()))).toEqual([0]);
    expect(found(of(now(), now()), of(then()))).toEqual([0]);
    expect(found(of(now({ source: 'print(1)\n' })), of(then()))).toEqual([0]);
  });

  test('that the reference never ran are passed over', () => {
    const cleared = cell([], { execution_count: null });
    expect(found(of(now(), now()), of(cleared, then()))).toEqual([1]);
    expect(hasOutputs(of(cleared))).toBe(false);
    expect(hasOutputs(of(cleared, then()))).toBe(true);
    expect(hasOutputs(of({ cell_type: 'markdown', source: '', metadata: {} }))).toBe(false);
  });

  test.for(['nbval-ignore-output', 'nbval-skip'])('that are tagged %s are passed over', (tag) => {
    expect(found(of(now({ tags: [tag] }), now()), of(then(), then()))).toEqual([1]);
  });

  test.for(['NBVAL_IGNORE_OUTPUT', 'NBVAL_SKIP'])('with a comment %s are passed over', (word) => {
    const source = `a = 1\n# ${word}\nprint(a)`;
    expect(found(of(now({ source })), of(then({ source })))).toEqual([]);
    const other = `print("# ${word}")`;
    expect(found(of(now({ source: other })), of(then({ source: other })))).toEqual([0]);
  });

  test('are those tagged nbval-check-output when only these are wanted', () => {
    const tags = ['nbval-check-output'];
    expect(found(of(now(), now({ tags })), of(then(), then()), { cells: 'tagged' })).toEqual([1]);
    const source = '# NBVAL_CHECK_OUTPUT\nprint(1)';
    expect(found(of(now({ source })), of(then({ source })), { cells: 'tagged' })).toEqual([0]);
  });

  test('with outputs of no known form are compared as what they are', () => {
    const odd = [{ output_type: 'x' }, { output_type: 'display_data', data: { a: null, b: [1] } }, {}];
    expect(found(of(cell(odd)), of(cell(odd)))).toEqual([]);
    expect(found(of(cell(odd)), of(cell([])))).toEqual([0]);
  });
});

test('the options are as the documentation shows them', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../../docs/reports.md'), 'utf8');
  const [, yaml = ''] = docs.match(/```yaml\n([^]*?)```/) ?? [];
  const { regression } = parse(yaml) as { regression: unknown };
  expect(regressionOptions.parse(regression)).toEqual(
    options({ sanitize: [{ match: 'worker-\\d+', replace: 'worker-N' }] }),
  );
});
