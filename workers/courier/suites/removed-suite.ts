import type { SuiteJobData } from '../../../lib/contract/suite-job.ts';
import { SUITE_FILE } from '../../../suite/suite-file.ts';
import type { GithubApi } from '../github/github-api.ts';

/**
 * Whether a commit has no suite that is to go into a branch which has one. GitHub lets what is neutral pass where a check is
 * required: whoever removes the file would not be asked for anything.
 *
 * @throws {GivenUpError} {@link RetryLaterError}
 */
export async function isRemoved(api: GithubApi, job: SuiteJobData, signal: AbortSignal): Promise<boolean> {
  const { repository, installation, commit, branch, base } = job;
  if (base === undefined || base === branch) return false;
  const [owner = '', repo = ''] = repository.split('/');
  const token = await api.token(installation, repository, { contents: 'read' }, signal);
  const lookFor = (route: string, more: object) =>
    api.lookFor(token, route, { owner, repo, ...more }, signal);
  const there = await lookFor('GET /repos/{owner}/{repo}/contents/{path}', { path: SUITE_FILE, ref: base });
  if (there === undefined) return false;
  // A branch with a history of its own, such as gh-pages, goes nowhere. The second page has no changed files, which may be many.
  const compared = { basehead: `${base}...${commit}`, per_page: 1, page: 2 };
  return (await lookFor('GET /repos/{owner}/{repo}/compare/{basehead}', compared)) !== undefined;
}
