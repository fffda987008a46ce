/** Which notebooks a suite has, and how each is run. */
import { existsSync, statSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import { glob } from 'tinyglobby';
import type { Submission } from '../client/client.ts';
import { patternProblem } from './pattern.ts';
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
const NEVER = ['**/.ipynb_checkpoints/**', '**/node_modules/**', '**/.git/**', '**/.venv/**'];

/** What is taken of a folder. Scripts and pages may be no notebooks: they are named, or included by a pattern. */
const NOTEBOOK = '.ipynb';

/** In folders of executed notebooks, which are no notebooks of a suite. */
export const EXECUTED_MARK = '.noteburst-executed';

export interface Selection {
  /** The suite's folder, to which its own patterns are relative. */
  dir: string;
  suite: SuiteFile;
  /** The folder to which `paths` and `exclude` are relative, the suite's when absent. */
  base?: string;
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
  const { dir, suite, base = dir, paths = [], exclude = [], options = {} } = selection;
  for (const pattern of [...paths, ...exclude]) assertPattern(pattern, base);
  const excluded = [...suite.exclude, ...exclude.map((pattern) => fromDir(dir, base, pattern))];
  const isNamed = paths.length > 0;
  const wanted = isNamed ? { base, wanted: paths } : { base: dir, wanted: suite.include };
  const isExcluded = (path: string) => matches(path, excluded);
  const found = await find({ dir, ...wanted, isExcluded, isEach: isNamed });
  if (found.length === 0) {
    const but = excluded.length > 0 ? ` but for ${excluded.join(', ')}` : '';
    throw new SuiteError(`There is no notebook in ${dir} that matches ${wanted.wanted.join(', ')}${but}`);
  }
  const other = found.find((path) => !isSource(path));
  if (other !== undefined) throw new SuiteError(`${other}: only ${SOURCE_KINDS} files can be run`);
  return found.flatMap((path) => casesOf(dir, path, suite, options));
}

/** A file or folder that is there may be called as it likes. */
function assertPattern(pattern: string, base: string): void {
  if (pattern !== '' && existsSync(resolve(base, pattern))) return;
  const problem = patternProblem(pattern);
  if (problem !== undefined) throw new SuiteError(`${pattern}: ${problem}`);
}

/** A pattern as it is from the suite's folder; one without a slash is about names, wherever they are. */
const fromDir = (dir: string, base: string, pattern: string): string =>
  pattern.includes('/') ? toSlashes(relative(dir, resolve(base, pattern))) : pattern;

interface Find {
  dir: string;
  base: string;
  wanted: readonly string[];
  isExcluded: (path: string) => boolean;
  /** Whether each of the wanted has to be found. */
  isEach: boolean;
}

async function find({ dir, base, wanted, isExcluded, isEach }: Find): Promise<string[]> {
  const found = new Set<string>();
  for (const path of wanted) {
    const absolute = resolve(base, path);
    const kind = statSync(absolute, { throwIfNoEntry: false });
    const inside = toSlashes(relative(dir, absolute)) || '.';
    // A file that is there is meant, whatever its name looks like as a pattern.
    if (kind?.isFile()) {
      if (!isExcluded(inside)) found.add(inside);
      continue;
    }
    if (!kind && !picomatch.scan(path).isGlob)
      throw new SuiteError(`${path}: there is no such file or folder`);
    const matches = await matching(dir, kind ? `${inside}/**/*${NOTEBOOK}` : inside);
    if (isEach && matches.length === 0) throw new SuiteError(`${path}: there is no notebook that matches`);
    for (const match of matches) if (!isExcluded(match)) found.add(match);
  }
  return [...found].toSorted();
}

/** Links are not followed: they lead out of the folder, and a loop of them nowhere. */
async function matching(dir: string, pattern: string): Promise<string[]> {
  const options = {
    cwd: dir,
    ignore: NEVER,
    extglob: false,
    expandDirectories: false,
    followSymbolicLinks: false,
  } as const;
  const marks = await glob([`**/${EXECUTED_MARK}`], { ...options, dot: true });
  const executed = marks.map((mark) => `${mark.slice(0, -EXECUTED_MARK.length)}**`);
  const matches = await glob([pattern], { ...options, ignore: [...NEVER, ...executed] });
  return matches.filter((path) => basename(path) !== SUPER_NOTEBOOK);
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

/** As in a .gitignore: a pattern without a slash is about a name, wherever it is, and that of a folder about all below. */
function matches(path: string, patterns: readonly string[]): boolean {
  const parts = path.split('/');
  const prefixes = parts.map((_part, n) => parts.slice(0, n + 1).join('/'));
  return patterns.some((pattern) => {
    const plain = pattern.replace(/^\.\//, '').replace(/\/$/, '');
    const isMatch = picomatch(plain, { dot: true, noextglob: true });
    return prefixes.some((prefix) => isMatch(plain.includes('/') ? prefix : basename(prefix)));
  });
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
