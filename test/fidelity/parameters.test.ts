import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkNotebook, multiline, parseNotebook, type Notebook } from '../../lib/contract/nbformat.ts';
import { injectParameters } from '../../workers/executor/notebook/parameters.ts';
import { codeCell, markdownCell, notebook } from '../support/notebooks.ts';
import { Stack } from '../support/stack.ts';
import { python } from './nbclient.ts';
import { normalise } from './normalise.ts';

type Parameters = Record<string, unknown>;

const tagged = (source: string, ...tags: string[]) => ({ ...codeCell(source), metadata: { tags } });
const withParameters = [
  markdownCell('# Title'),
  tagged('x = 1', 'other', 'parameters'),
  codeCell('print(x)'),
];

const SETS: Record<string, Parameters> = {
  none: {},
  'numbers and strings': { x: 1, negative: -2, zero: 0, name: 'text', empty: '' },
  'booleans and null': { yes: true, no: false, nothing: null },
  fractions: {
    a: 0.1,
    b: -1.5,
    c: 1e-7,
    d: 0.0001,
    e: 123456.789,
    f: 1.5e-10,
    g: 1e300,
    h: 2.5e25,
    i: 5e-324,
  },
  'large whole numbers': { a: 2 ** 53 - 1, b: -(2 ** 53) + 1, c: 1_000_000_000_000 },
  'what needs escaping': {
    quotes: `"double" 'single'`,
    backslash: 'C:\\new\\table',
    lines: 'a\nb\r\nc\td',
    control: '\u0000\u0007\u001b\u007f\u0085',
  },
  'characters of all sizes': { latin: 'é ÿ', bmp: '漢字 ∞ \u2028 \ufeff', astral: '🚀 𝒳', name_é: 'é' },
  lists: { empty: [], flat: [1, 'a', null, true, 0.5], nested: [[1], [[2]], { a: [] }] },
  dictionaries: { empty: {}, flat: { a: 1, 'b c': 'd', '"': "'" }, nested: { a: { b: { c: [null] } } } },
  'everything at once': { x: 1, y: 'a"b\\', z: { 'é\n': [true, { 'k"': null }] } },
};

const NOTEBOOKS: Record<string, Parameters> = {
  'with a cell for parameters': { cells: withParameters },
  'without one': { cells: [markdownCell('# Title'), codeCell('print(1)')] },
  'that had parameters before': {
    cells: [
      tagged('x = 1', 'parameters'),
      codeCell('y = 2'),
      tagged('x = 5', 'injected-parameters'),
      codeCell('x'),
    ],
    metadata: {
      papermill: { parameters: { x: 5 }, default_parameters: {}, environment_variables: {}, version: '2.0' },
    },
  },
  'with cells of each kind for parameters': {
    cells: [{ ...markdownCell('here'), metadata: { tags: ['parameters'] } }, ...withParameters],
  },
  'without cells': { cells: [] },
  'of version 4.4': { cells: withParameters, nbformat_minor: 4 },
};

const CASES = [
  ...Object.keys(SETS).map((set) => [set, 'with a cell for parameters'] as const),
  ...Object.keys(NOTEBOOKS).map((name) => ['everything at once', name] as const),
].map(([set, name]) => ({
  title: `${set}, in a notebook ${name}`,
  notebook: notebook(NOTEBOOKS[name]),
  parameters: SETS[set] ?? {},
}));
let theirs: Notebook[];

beforeAll(async () => {
  theirs = await python<Notebook[]>('papermill_notebooks.py', ['inject'], CASES);
});

/** A notebook's cells as far as parameters concern them; papermill gives every cell a list of tags. */
const shown = ({ cells, metadata }: Notebook) => ({
  cells: cells.map((cell) => ({
    type: cell.cell_type,
    source: multiline(cell.source),
    tags: cell.metadata['tags'] ?? [],
  })),
  parameters: (metadata['papermill'] as Parameters)['parameters'],
});

describe('parameters are injected as papermill injects them', () => {
  test.each(CASES.map((testCase, index) => ({ ...testCase, index })))('$title', ({ index, ...given }) => {
    const ours = injectParameters(checkNotebook(given.notebook), given.parameters, 'python');
    expect(shown(ours)).toEqual(shown(theirs[index] as Notebook));
  });
});

const EXECUTED = [
  {
    title: 'that shows what it was given',
    notebook: notebook({
      cells: [
        { ...tagged('x = 1\ny = "default"', 'parameters'), id: 'defaults' },
        { ...markdownCell('# What it was given'), id: 'title' },
        { ...codeCell('import sys\nprint(x, y)\nprint(z, file=sys.stderr)'), id: 'prints' },
        { ...codeCell('display(y)\n{"x": x, "z": z}'), id: 'shows' },
      ],
      metadata: { kernelspec: { name: 'python3', display_name: 'Python', language: 'python' }, kept: [1] },
    }),
    parameters: SETS['everything at once'] ?? {},
  },
  ...CASES.filter(({ title }) =>
    /^everything at once, .* (that had parameters before|of version 4.4)$/.test(title),
  ),
];

/**
 * A notebook without what papermill says of its own run (see docs/fidelity.md), and with what it gives to every one:
 * `tags` in each cell, and nbformat 4.5.
 */
function comparable(executed: Notebook, source: Notebook): Notebook {
  const { cells, metadata, ...rest } = normalise(executed, source);
  const { papermill, orig_nbformat_minor: _, ...kept } = metadata;
  const { parameters, default_parameters, environment_variables } = papermill as Parameters;
  const plain = cells.map((cell) => {
    const { papermill: _, ...own } = cell.metadata;
    return { id: 'made up', ...cell, metadata: { tags: [], ...own } };
  });
  const record = { parameters, default_parameters, environment_variables };
  return {
    ...rest,
    nbformat_minor: 5,
    cells: plain,
    metadata: { ...kept, papermill: record },
  };
}

describe('a notebook with parameters is executed as papermill executes it', () => {
  let run: Notebook[];
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
    await (await stack.startExecutor()).ready();
    run = await python<Notebook[]>('papermill_notebooks.py', ['execute'], EXECUTED);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  test.each(EXECUTED.map((testCase, index) => ({ ...testCase, index })))(
    '$title',
    async ({ index, ...given }) => {
      const { notebook, parameters } = given;
      const id = await stack.submit(notebook, { kernel_name: 'python3', parameters });
      const job = await stack.untilComplete(id);
      expect(job).toMatchObject({ success: true });
      const source = checkNotebook(notebook);
      const ours = comparable(parseNotebook(job.ipynb ?? ''), source);
      expect(ours).toEqual(comparable(run[index] as Notebook, source));
    },
  );
});
