/** What is done with executed notebooks: they are kept, and compared with what they should be. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { parseNotebook, type Notebook } from '../lib/contract/nbformat.ts';
import { EXECUTED_MARK, type SuiteCase } from './plan.ts';
import { hasOutputs } from './regression/compare-outputs.ts';
import { regressionFailure } from './regression/failure.ts';
import type { RegressionOptions } from './regression/options.ts';
import type { Executed, SuiteRun } from './run-suite.ts';
import type { NotebookSource } from './source/notebook-source.ts';
import { SuiteError } from './suite-file.ts';

const NOTEBOOK = '.ipynb';

export interface Keeping {
  cases: readonly SuiteCase[];
  /** The folder for executed notebooks, as far as they came; absent: they are not kept. */
  out?: string | undefined;
  /** Whether outputs are to be as they were. */
  regression?: RegressionOptions | undefined;
  /**
   * The folder with the last good run of each, below the suite's own name for them, which is brought up to date; or what reads it,
   * where others do that.
   */
  baseline?: string | LastGood | undefined;
}

/**
 * @returns the notebook as it was executed when it passed last, undefined when there is none
 * @throws {UnreadableError} What else is thrown ends the suite: it might pass what it could not compare.
 */
export type LastGood = (which: SuiteCase) => Promise<string | undefined>;

/** There is one that is of no use, and will be of none. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/** @throws {SuiteError} when a folder cannot be used */
export function keepExecuted({
  cases,
  out,
  regression,
  baseline,
}: Keeping): NonNullable<SuiteRun['onExecuted']> {
  const names = executedNames(cases);
  const folder = typeof baseline === 'string' ? join(baseline, regression?.baseline ?? '') : undefined;
  for (const each of [out, folder]) if (each !== undefined) prepare(each, cases);
  const lastGood = folder === undefined ? (baseline as LastGood | undefined) : inFolder(folder, names);
  return async (which, text, { source, isWell }) => {
    const name = names.get(which) as string;
    const told: Executed = {};
    if (regression && isWell) {
      const { reference, problem = 'There are no earlier outputs to compare with' } =
        regression.against === 'committed' ? committed(which, source) : await goodRun(lastGood, which);
      if (reference) told.failure = regressionFailure(parseNotebook(text), reference, source, regression);
      if (!reference || !hasOutputs(reference)) told.warnings = [problem];
    }
    if (folder !== undefined && isWell && !told.failure) await write(join(folder, name), text);
    if (out === undefined) return told;
    const file = join(out, name);
    await write(file, text);
    return { ...told, executed: relative('', file) };
  };
}

interface Reference {
  reference?: Notebook;
  problem?: string;
}

/** None for what is kept as text, which has no outputs. */
const committed = ({ path }: SuiteCase, { notebook }: NotebookSource): Reference =>
  extname(path) === NOTEBOOK ? { reference: notebook } : {};

async function goodRun(lastGood: LastGood | undefined, which: SuiteCase): Promise<Reference> {
  try {
    const text = await lastGood?.(which);
    return text === undefined ? {} : { reference: readable(text) };
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return { problem: `The last good run cannot be read: ${error.message}` };
  }
}

function readable(text: string): Notebook {
  try {
    return parseNotebook(text);
  } catch (error) {
    throw new UnreadableError((error as Error).message, { cause: error });
  }
}

const inFolder =
  (folder: string, names: ReadonlyMap<SuiteCase, string>): LastGood =>
  async (which) => {
    try {
      return await readFile(join(folder, names.get(which) as string), 'utf8');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      throw new UnreadableError(message, { cause: error });
    }
  };

/** Makes a folder, and marks it, so that a later run does not take what this one writes for notebooks of the suite. */
function prepare(folder: string, cases: readonly SuiteCase[]): void {
  const inside = cases.find(({ file }) => !relative(resolve(folder), file).startsWith('..'));
  if (inside) {
    throw new SuiteError(
      `${folder}: ${inside.path} lies in it, which would be overwritten. Take another folder`,
    );
  }
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, EXECUTED_MARK),
      'Executed notebooks, written by noteburst. Suites leave this folder out.\n',
    );
  } catch (error) {
    throw new SuiteError(`${folder}: cannot be written to: ${(error as Error).message}`);
  }
}

/** In one piece, and in the place of a link, not where it leads. */
async function write(file: string, text: string): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(part, text);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw new SuiteError(`${file}: cannot be written: ${(error as Error).message}`);
  }
}

/**
 * Of `a/b.ipynb [small set]`, `a/b.small-set.ipynb`, and of `a/b.py`, `a/b.py.ipynb`; what is outside of the suite's folder
 * goes to its top. Where two would have the same name, also on systems that do not tell case, they get a part of a hash.
 */
function executedNames(cases: readonly SuiteCase[]): Map<SuiteCase, string> {
  const stems = cases.map((which) => ({ which, stem: stemOf(which) }));
  const counts = new Map<string, number>();
  for (const { stem } of stems) counts.set(stem.toLowerCase(), (counts.get(stem.toLowerCase()) ?? 0) + 1);
  return new Map(
    stems.map(({ which, stem }) => {
      const isShared = (counts.get(stem.toLowerCase()) ?? 0) > 1;
      const hash = createHash('sha256').update(which.name).digest('hex').slice(0, 8);
      return [which, `${stem}${isShared ? `.${hash}` : ''}${NOTEBOOK}`];
    }),
  );
}

function stemOf({ name, path }: SuiteCase): string {
  const inside = path
    .split('/')
    .filter((part) => part !== '..')
    .join('/');
  const stem = extname(inside) === NOTEBOOK ? inside.slice(0, -NOTEBOOK.length) : inside;
  // Of ` [small set]`; of a name that is all the path there is none.
  const set = name.slice(path.length + 2, -1);
  return set === '' ? stem : `${stem}.${set.replaceAll(/[^\w.-]+/g, '-')}`;
}
