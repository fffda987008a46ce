import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseSuiteFile, SUITE_FILE, suiteFile, type SuiteFile } from '../suite/suite-file.ts';
import { UsageError } from './exit-code.ts';

/**
 * The suite file that was named, else the one of the current folder; without one, a suite of nothing but what was named.
 *
 * @returns the suite, and the folder that its paths are relative to
 */
export function readSuite(
  named: string | undefined,
  paths: readonly string[],
): { suite: SuiteFile; dir: string } {
  const file = named ?? SUITE_FILE;
  if (existsSync(file)) {
    // What was named on the command line is relative to where the user is.
    const dir = paths.length > 0 ? process.cwd() : dirname(resolve(file));
    return { suite: withPriority(parseSuiteFile(readFileSync(file, 'utf8'), file)), dir };
  }
  if (named !== undefined) throw new UsageError(`${named}: there is no such file`);
  if (paths.length === 0) {
    throw new UsageError(`Which notebooks? Name some, or describe the suite in ${SUITE_FILE}`);
  }
  return { suite: withPriority(suiteFile.parse({})), dir: process.cwd() };
}

/** Nobody sits in front of most suites, so that they need not push in front of those who do. */
function withPriority(suite: SuiteFile): SuiteFile {
  return { ...suite, defaults: { priority: 'ci', ...suite.defaults } };
}
