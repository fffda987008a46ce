import { beforeAll, describe, expect, test } from 'vitest';
import { checkNotebook, multiline, type Notebook } from '../../lib/contract/nbformat.ts';
import { injectParameters } from '../../workers/executor/notebook/parameters.ts';
import { codeCell, markdownCell, notebook } from '../support/notebooks.ts';
import { python } from './nbclient.ts';

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
    metadata: { papermill: { parameters: { x: 5 }, default_parameters: {}, version: '2.0' } },
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
  language: 'python',
}));
let theirs: Notebook[];

beforeAll(async () => {
  theirs = await python<Notebook[]>('papermill_parameters.py', [], CASES);
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
    const ours = injectParameters(checkNotebook(given.notebook), given.parameters, given.language);
    expect(shown(ours)).toEqual(shown(theirs[index] as Notebook));
  });
});
