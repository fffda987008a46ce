import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { multiline } from '../../lib/contract/nbformat.ts';
import { StepList } from '../../platform/setup/steps.ts';
import { pythonOf, setUpVenv } from '../../platform/setup/venv.ts';
import { DEFAULT_STATE_DIR } from '../../platform/state.ts';
import { readSource } from '../../suite/source/source.ts';

interface Cell {
  type: string;
  source: string;
  metadata: Record<string, unknown>;
}
interface Read {
  kernelspec: unknown;
  cells: Cell[];
}

const CORPUS = join(import.meta.dirname, 'corpus');
const SCRIPT = join(import.meta.dirname, 'support', 'jupytext_cells.py');
/** Setting up what it needs, which is done once, downloads packages. */
const SET_UP_MS = 300_000;

/** What is not as jupytext has it, on purpose: docs/suites.md says why. */
const ON_PURPOSE: Record<string, string[]> = {
  'other-words.py': [
    '# print?\na = 1',
    '# cd ..\n# copy what is there\nb = 2',
    '%%bash\n# ls\n# # a comment',
  ],
  'other-front-matter.py': ['a = 1'],
  'other-fences-in-lists.md': ['a = 1', '- item', 'b = 2', 'c = 3', 'end'],
  'other-languages.md': ['text', 'a = 1', '```bash\nls\n```\n\n```julia\nb = 2\n```'],
};

const corpus = Object.fromEntries(
  readdirSync(CORPUS).map((name) => [name, readFileSync(join(CORPUS, name), 'utf8')]),
);
const names = Object.keys(corpus).filter((name) => !Object.hasOwn(ON_PURPOSE, name));
const VARIANTS: Record<string, (text: string) => string> = {
  'as it is': (text) => text,
  'with the line ends of Windows': (text) => text.replaceAll('\n', '\r\n'),
  'without an end of its last line': (text) => text.replace(/\n$/, ''),
};
const NOTHING = { 'empty.py': '', 'empty.md': '', 'blank.py': '\n \n', 'blank.md': '\n\n' };
const files: Record<string, string> = {
  ...NOTHING,
  ...Object.fromEntries(
    Object.entries(VARIANTS).flatMap(([variant, change]) =>
      Object.entries(corpus).map(([name, text]) => [`${variant}/${name}`, change(text)]),
    ),
  ),
};

let theirs: Record<string, Read>;
beforeAll(async () => {
  const venvs = join(DEFAULT_STATE_DIR, 'venv');
  const venv = await new StepList().run('jupytext', (notes) => setUpVenv(venvs, 'jupytext', notes));
  const said = execFileSync(pythonOf(venv), ['-W', 'error', SCRIPT], {
    input: JSON.stringify(files),
    timeout: 60_000,
  });
  theirs = JSON.parse(said.toString()) as typeof theirs;
}, SET_UP_MS);

function ours(name: string): Read {
  const { metadata, cells } = readSource(name, files[name] as string).notebook;
  return {
    kernelspec: metadata['kernelspec'] ?? null,
    cells: cells.map((cell) => ({
      type: cell.cell_type,
      source: multiline(cell.source),
      metadata: cell.metadata,
    })),
  };
}

/** What jupytext keeps of a cell so that it can write the file again. */
const FOR_WRITING = new Set(['title', 'cell_marker', 'region_name', 'cell_depth', 'lines_to_next_cell']);

/** Without what does not matter to a run: that, cells without a text, and empty lines at both ends of the others. */
function plain({ kernelspec, cells }: Read): Read {
  const kept = cells.map(({ type, source, metadata }) => ({
    type,
    source: source.replace(/^(?:[^\S\n]*\n)+/, '').trimEnd(),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !FOR_WRITING.has(key))),
  }));
  return { kernelspec, cells: kept.filter(({ source }) => source !== '') };
}

/** Of a page of samples, jupytext makes several cells of the text between them: two empty lines end one. */
const compared = (name: string, { kernelspec, cells }: Read): Read => ({
  kernelspec,
  cells: name.includes('samples') ? cells.filter(({ type }) => type === 'code') : cells,
});

describe.each(Object.keys(VARIANTS))('a file %s has the cells that jupytext finds', (variant) => {
  test.each(names)('%s', (name) => {
    const file = `${variant}/${name}`;
    expect(compared(name, plain(ours(file)))).toEqual(compared(name, plain(theirs[file] as Read)));
    expect(ours(file).cells).not.toEqual([]);
  });
});

test.each(Object.keys(NOTHING))('a file with nothing in it has none: %s', (name) => {
  expect(plain(theirs[name] as Read).cells).toEqual([]);
  expect(ours(name).cells).toEqual([]);
});

test.each(Object.entries(ON_PURPOSE))('%s is read otherwise, on purpose', (name, sources) => {
  const file = `as it is/${name}`;
  expect(ours(file).cells.map(({ source }) => source)).toEqual(sources);
  const other = plain(theirs[file] as Read).cells.map(({ source }) => source);
  expect(other).not.toEqual(sources);
});

test('the corpus has scripts and pages', () => {
  const kinds = Map.groupBy(names, (name) => extname(name));
  expect([...kinds.values()].every((each) => each.length >= 12)).toBe(true);
});
