/** What is done with executed notebooks: they are kept, and compared with what they should be. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, join, relative } from 'node:path';
import { parseNotebook, type Notebook } from '../lib/contract/nbformat.ts';
import { EXECUTED_MARK, type SuiteCase } from './plan.ts';
import { hasOutputs } from './regression/compare-outputs.ts';
import { regressionFailure } from './regression/failure.ts';
import type { RegressionOptions } from './regression/options.ts';
import type { Executed, SuiteRun } from './run-suite.ts';
import type { NotebookSource } from './source/notebook-source.ts';

const NOTEBOOK = '.ipynb';

export interface Keeping {
  /** The folder for executed notebooks, as far as they came; absent: they are not kept. */
  out?: string | undefined;
  /** Whether outputs are to be as they were. */
  regression?: RegressionOptions | undefined;
  /** The folder with the last good run of each, which is brought up to date. */
  baseline?: string | undefined;
}

export function keepExecuted({ out, regression, baseline }: Keeping): NonNullable<SuiteRun['onExecuted']> {
  return async (which, text, { source, isWell }) => {
    const good = baseline === undefined ? undefined : join(baseline, fileName(which));
    const told: Executed = {};
    if (regression && isWell) {
      const reference = regression.against === 'committed' ? committed(which, source) : await goodRun(good);
      if (reference) told.failure = regressionFailure(parseNotebook(text), reference, source, regression);
      if (!reference || !hasOutputs(reference))
        told.warnings = ['There are no earlier outputs to compare with'];
    }
    if (baseline !== undefined && good !== undefined && isWell && !told.failure) {
      await mark(baseline);
      await write(good, text);
    }
    if (out === undefined) return told;
    const file = join(out, fileName(which));
    await mark(out);
    await write(file, text);
    return { ...told, executed: relative('', file) };
  };
}

/** Undefined for what is kept as text, which has no outputs. */
const committed = ({ path }: SuiteCase, { notebook }: NotebookSource): Notebook | undefined =>
  extname(path) === NOTEBOOK ? notebook : undefined;

/** Undefined when there has been none. */
async function goodRun(file: string | undefined): Promise<Notebook | undefined> {
  if (file === undefined) return undefined;
  try {
    return parseNotebook(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** So that a later run does not take what this one has written for notebooks of the suite. */
const mark = (dir: string): Promise<void> =>
  write(
    join(dir, EXECUTED_MARK),
    'Executed notebooks, written by noteburst. Suites leave this folder out.\n',
  );

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/**
 * Of `a/b.ipynb [small set]`, `a/b.small-set.ipynb`, and of `a/b.py`, `a/b.py.ipynb`; what is outside of the suite's folder
 * goes to its top.
 */
function fileName({ name, path }: SuiteCase): string {
  const inside = path
    .split('/')
    .filter((part) => part !== '..')
    .join('/');
  const set = /\[(.*)\]$/.exec(name.slice(path.length))?.[1];
  const stem = extname(inside) === NOTEBOOK ? inside.slice(0, -NOTEBOOK.length) : inside;
  return set === undefined ? `${stem}${NOTEBOOK}` : `${stem}.${set.replaceAll(/[^\w.-]+/g, '-')}${NOTEBOOK}`;
}
