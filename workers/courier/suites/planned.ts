/** What a repository wants to have run, as the files of a commit say it. Nothing of them is trusted. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { planSuite, type SuiteCase } from '../../../suite/plan.ts';
import { isSource } from '../../../suite/source/source.ts';
import { parseSuiteFile, SUITE_FILE, SuiteError, type SuiteFile } from '../../../suite/suite-file.ts';
import type { Checkout } from '../repositories/repositories.ts';

/** More of them are several suites. */
const MAX_CASES = 500;
/** YAML takes many times as much once it is read. */
const MAX_SUITE_FILE_BYTES = 256 * 1024;

export interface Planned {
  suite: SuiteFile;
  cases: SuiteCase[];
  /** What people should know, in Markdown. */
  notes: string[];
}

/** The files of a commit that a suite may need. */
export const isWanted = (path: string): boolean => path === SUITE_FILE || isSource(path);

/**
 * @param checkout the files, and where there are links and submodules
 * @returns undefined when the repository has no suite
 * @throws {SuiteError} in words for the people of the repository
 */
export async function planned(
  checkout: Pick<Checkout, 'dir' | 'links' | 'submodules'>,
): Promise<Planned | undefined> {
  const { dir, links, submodules } = checkout;
  if (links.includes(SUITE_FILE))
    throw new SuiteError(
      `${SUITE_FILE}: is a link, and links are not followed: it should be the file itself`,
    );
  const text = await suiteFileOf(dir);
  if (text === undefined) return undefined;
  const suite = parseSuiteFile(text, SUITE_FILE);
  for (const pattern of suite.include) {
    assertInside(pattern);
    assertNotIn(submodules, pattern);
  }
  // Nobody waits for it, whatever the repository says.
  const cases = await planSuite({ dir, suite, options: { priority: 'batch' } });
  if (cases.length > MAX_CASES)
    throw new SuiteError(`${SUITE_FILE}: it has ${cases.length} notebooks to run; ${MAX_CASES} are taken`);
  return { suite, cases, notes: notesOn(suite, submodules) };
}

async function suiteFileOf(dir: string): Promise<string | undefined> {
  const file = join(dir, SUITE_FILE);
  const kind = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!kind) return undefined;
  if (!kind.isFile()) throw new SuiteError(`${SUITE_FILE}: is no file`);
  assertSuiteFileBytes(kind.size);
  return readFile(file, 'utf8');
}

/** @throws {SuiteError} */
export function assertSuiteFileBytes(bytes: number): void {
  if (bytes > MAX_SUITE_FILE_BYTES)
    throw new SuiteError(`${SUITE_FILE}: has ${bytes} bytes; ${MAX_SUITE_FILE_BYTES} are taken`);
}

/** Patterns on a person's machine may lead anywhere; here they would lead into the service's. */
function assertInside(pattern: string): void {
  if (/^[/\\]|^[a-z]:|\.\./i.test(pattern))
    throw new SuiteError(`${SUITE_FILE}: include: ${pattern} leads out of the repository`);
}

function assertNotIn(submodules: readonly string[], pattern: string): void {
  const { base } = picomatch.scan(pattern.replace(/^\.\//, ''));
  const module = submodules.find((path) => base === path || base.startsWith(`${path}/`));
  if (module !== undefined)
    throw new SuiteError(
      `${SUITE_FILE}: include: ${pattern} is in the submodule ${module}. Submodules are not fetched: run their notebooks from their own repository`,
    );
}

function notesOn(suite: SuiteFile, submodules: readonly string[]): string[] {
  const isExcluded = picomatch(suite.exclude, { dot: true });
  const open = submodules.filter((path) => !isExcluded(path) && !isExcluded(`${path}/x`));
  const codes = open.slice(0, 10).map((path) => `\`${path.replaceAll('`', '')}\``);
  return open.length === 0 ? [] : [`Submodules are not fetched; nothing of ${codes.join(', ')} was run.`];
}
