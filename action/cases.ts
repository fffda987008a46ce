/** Which notebooks are to be run. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { info, notice } from '@actions/core';
import { planSuite, type SuiteCase } from '../suite/plan.ts';
import { parseSuiteFile, SUITE_FILE, suiteFile, type SuiteFile } from '../suite/suite-file.ts';
import { changedFiles, type GithubEvent } from './changed.ts';
import { InputError, type Inputs } from './inputs.ts';

interface LoadedSuite {
  suite: SuiteFile;
  /** The folder that its paths are relative to. */
  dir: string;
  /** Where the suite file is, if there is one. */
  file: string | undefined;
}

/** A suite, and what is to be run of it. */
export interface Wanted {
  suite: SuiteFile;
  cases: SuiteCase[];
}

/**
 * The cases of the suite; of those, when it is asked for, the ones that have changed.
 *
 * @param workspace the folder with the checkout
 * @returns no cases when nothing has changed
 */
export async function wantedCases(inputs: Inputs, workspace: string, event: GithubEvent): Promise<Wanted> {
  const { paths, exclude, options } = inputs;
  const { suite, dir, file } = loadSuite(workspace, inputs);
  if (suite.regression?.against === 'last' && inputs.baseline === undefined) {
    throw new InputError(
      'The suite compares outputs with the last good run. Where is it? Set the input baseline',
    );
  }
  const cases = await planSuite({ dir, suite, paths, exclude, options });
  if (!inputs.changedOnly) return { suite, cases };
  const changed = await changedFiles(workspace, event);
  if ('unknown' in changed) {
    notice(`All notebooks are run: ${changed.unknown}`);
    return { suite, cases };
  }
  if (file !== undefined && changed.files.has(file)) {
    info('All notebooks are run: the suite file has changed');
    return { suite, cases };
  }
  return { suite, cases: cases.filter((each) => changed.files.has(each.file)) };
}

/** The suite file that was named, else the repository's; without one, a suite of nothing but the paths. */
function loadSuite(workspace: string, { suite: named, paths }: Inputs): LoadedSuite {
  const name = named ?? SUITE_FILE;
  const file = resolve(workspace, name);
  if (existsSync(file)) {
    // Paths of the workflow are relative to where its steps run.
    const dir = paths.length > 0 ? workspace : dirname(file);
    return { suite: withPriority(parseSuiteFile(readFileSync(file, 'utf8'), name)), dir, file };
  }
  if (named !== undefined)
    throw new InputError(`${named}: there is no such file. Is the repository checked out?`);
  if (paths.length === 0) {
    throw new InputError(
      `Which notebooks? Name some in the input paths, or describe the suite in ${SUITE_FILE}`,
    );
  }
  return { suite: withPriority(suiteFile.parse({})), dir: workspace, file: undefined };
}

/** A workflow is not waited for as a person waits, unless the suite says so. */
const withPriority = (suite: SuiteFile): SuiteFile => ({
  ...suite,
  defaults: { priority: 'ci', ...suite.defaults },
});
