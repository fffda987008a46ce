/** Which notebooks a suite has, and how each is run. */
import { statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import { glob } from 'tinyglobby';
import type { Submission } from '../client/client.ts';
import { isSource, SOURCE_KINDS } from './source/source.ts';
import { SuiteError, type ExpectedFailure, type RunOptions, type SuiteFile } from './suite-file.ts';

/** One run of one notebook. */
export interface SuiteCase {
  /** Unique within the suite, and how people call it: the path, and the name of the set of parameters where there are sets. */
  name: string;
  /** From the suite's folder, with slashes. */
  path: string;
  /** Where the file is. */
  file: string;
  options: RunOptions;
  expectedFailure?: ExpectedFailure;
}

/** The usual name of a notebook that runs the suite, and so is none of its notebooks. */
export const SUPER_NOTEBOOK = 'noteburst-suite.ipynb';

/** What is never a notebook of a suite: copies that Jupyter makes, and what package managers put there. */
const NEVER = [
  `**/${SUPER_NOTEBOOK}`,
  '**/.ipynb_checkpoints/**',
  '**/node_modules/**',
  '**/.git/**',
  '**/.venv/**',
];

/** What is taken of a folder. Scripts and pages may be no notebooks: they are named, or included by a pattern. */
const NOTEBOOK = '.ipynb';

/** In folders of executed notebooks, which are no notebooks of a suite. */
export const EXECUTED_MARK = '.noteburst-executed';

export interface Selection {
  /** The suite's folder, to which paths and patterns are relative. */
  dir: string;
  suite: SuiteFile;
  /** Files, folders and patterns to take in place of the suite's own. */
  paths?: readonly string[];
  /** Beside the suite's own. */
  exclude?: readonly string[];
  /** What counts more than the suite file. */
  options?: RunOptions;
}

/**
 * The notebooks that are to be run, by path.
 *
 * @throws {SuiteError} when there is none, or a file that was named is not there
 */
export async function planSuite(selection: Selection): Promise<SuiteCase[]> {
  const { dir, suite, paths = [], exclude = [], options = {} } = selection;
  const excluded = [...suite.exclude, ...exclude];
  const found = await find(dir, paths.length > 0 ? paths : suite.include, excluded);
  if (found.length === 0) {
    const looked = (paths.length > 0 ? paths : suite.include).join(', ');
    const but = excluded.length > 0 ? ` but for ${excluded.join(', ')}` : '';
    throw new SuiteError(`There is no notebook in ${dir} that matches ${looked}${but}`);
  }
  return found.flatMap((path) => casesOf(dir, path, suite, options));
}

async function find(dir: string, wanted: readonly string[], excluded: readonly string[]): Promise<string[]> {
  const marks = await glob([`**/${EXECUTED_MARK}`], { cwd: dir, ignore: NEVER, dot: true });
  const executed = marks.map((mark) => `${mark.slice(0, -EXECUTED_MARK.length)}**`);
  const ignore = [...NEVER, ...executed, ...excluded.map((pattern) => toSlashes(pattern))];
  const isExcluded = picomatch(ignore, { dot: true });
  const found = new Set<string>();
  for (const path of wanted) {
    const absolute = resolve(dir, path);
    const kind = statSync(absolute, { throwIfNoEntry: false });
    const inside = toSlashes(relative(dir, absolute));
    // A file that is there is meant, whatever its name looks like as a pattern.
    if (kind?.isFile()) {
      if (!isExcluded(inside)) found.add(inside);
      continue;
    }
    if (!kind && !picomatch.scan(path).isGlob)
      throw new SuiteError(`${path}: there is no such file or folder`);
    const pattern = kind ? join(inside, `**/*${NOTEBOOK}`) : isAbsolute(path) ? inside : path;
    const options = { cwd: dir, ignore, onlyFiles: true, expandDirectories: false } as const;
    for (const match of await glob([toSlashes(pattern)], options)) {
      // Patterns of what to leave out do not reach out of the folder by themselves.
      if (!isExcluded(match.replace(/^(\.\.\/)+/, ''))) found.add(match);
    }
  }
  const files = [...found].toSorted();
  const other = files.find((path) => !isSource(path));
  if (other !== undefined) throw new SuiteError(`${other}: only ${SOURCE_KINDS} files can be run`);
  return files;
}

function casesOf(dir: string, path: string, suite: SuiteFile, over: RunOptions): SuiteCase[] {
  let options = suite.defaults;
  let sets: Record<string, Record<string, unknown>> = {};
  let expectedFailure: ExpectedFailure | undefined;
  for (const { match, parameter_sets: own, expected_failure: expected, ...more } of suite.notebooks) {
    if (!matches(path, match)) continue;
    options = merged(options, more);
    sets = { ...sets, ...own };
    expectedFailure = expected ?? expectedFailure;
  }
  const file = join(dir, path);
  const base = { path, file, ...(expectedFailure ? { expectedFailure } : {}) };
  const all = Object.entries(sets);
  if (all.length === 0) return [{ ...base, name: path, options: merged(options, over) }];
  return all.map(([name, parameters]) => ({
    ...base,
    name: `${path} [${name}]`,
    options: merged(merged(options, { parameters }), over),
  }));
}

/** As in a .gitignore: a pattern without a slash is about the file's name, wherever it is. */
function matches(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    picomatch.isMatch(pattern.includes('/') ? path : basename(path), pattern, { dot: true }),
  );
}

function merged(under: RunOptions, over: RunOptions): RunOptions {
  const parameters = { ...under.parameters, ...over.parameters };
  return { ...under, ...over, ...(Object.keys(parameters).length > 0 ? { parameters } : {}) };
}

/** What the service is told of how to run a notebook. */
export function submissionOptions(options: RunOptions): Omit<Submission, 'ipynb'> {
  const { kernel, image, size, timeout, cell_timeout: cellTimeout, retry, priority, parameters } = options;
  return {
    ...(kernel === undefined ? {} : { kernel_name: kernel }),
    ...(image === undefined ? {} : { image }),
    ...(size === undefined ? {} : { size }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(cellTimeout === undefined ? {} : { cell_timeout: cellTimeout }),
    ...(retry === undefined ? {} : { enable_retry: retry }),
    ...(priority === undefined ? {} : { priority }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

const toSlashes = (path: string): string => path.split(sep).join('/');
