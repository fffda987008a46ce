import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseSuiteFile, SUITE_FILE, SuiteError, suiteFile, type SuiteFile } from './suite-file.ts';

export interface LoadedSuite {
  suite: SuiteFile;
  /** The folder that its paths are relative to. */
  dir: string;
  /** Where the suite file is, if there is one. */
  file?: string;
}

/**
 * The suite file that was named, else the one of the folder; without one, a suite of nothing but the paths that were given.
 *
 * @param base the folder that these names and paths are relative to
 * @throws {SuiteError}
 */
export function loadSuite(base: string, named: string | undefined, paths: readonly string[]): LoadedSuite {
  const name = named ?? SUITE_FILE;
  const file = resolve(base, name);
  if (existsSync(file)) {
    if (!statSync(file).isFile()) throw new SuiteError(`${name}: is no file`);
    const suite = withPriority(parseSuiteFile(readFileSync(file, 'utf8'), name));
    return { suite, dir: dirname(file), file };
  }
  if (named !== undefined) throw new SuiteError(`${named}: there is no such file`);
  if (paths.length === 0) {
    throw new SuiteError(`Which notebooks? Name some, or describe the suite in ${SUITE_FILE}`);
  }
  return { suite: withPriority(suiteFile.parse({})), dir: base };
}

/** Nobody sits in front of most suites, so that they need not push in front of those who do. */
function withPriority(suite: SuiteFile): SuiteFile {
  return { ...suite, defaults: { priority: 'ci', ...suite.defaults } };
}
