/** Which notebooks are to be run. */
import { info, notice } from '@actions/core';
import { loadSuite } from '../suite/load-suite.ts';
import { planSuite, type SuiteCase } from '../suite/plan.ts';
import type { SuiteFile } from '../suite/suite-file.ts';
import { changedFiles, type GithubEvent } from './changed.ts';
import { InputError, type Inputs } from './inputs.ts';

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
  const { suite, dir, file } = loadSuite(workspace, inputs.suite, paths);
  if (suite.regression?.against === 'last' && inputs.baseline === undefined) {
    throw new InputError(
      'The suite compares outputs with the last good run. Where is it? Set the input baseline',
    );
  }
  const cases = await planSuite({ dir, suite, base: workspace, paths, exclude, options });
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
