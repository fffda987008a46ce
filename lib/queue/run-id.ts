import { hash } from 'node:crypto';

/**
 * The id of a suite's run: one for one cause, however often it is told. It is no secret: whoever knows
 * the cause can tell it.
 *
 * @param cause a commit of a repository, or an instant of one of its schedules
 */
export const runIdOf = (cause: string): string => hash('sha256', cause, 'hex').slice(0, 32);

/** The id of the run that a commit has by itself, when GitHub first tells of it. */
export const commitRunId = (repository: string, commit: string): string =>
  runIdOf(commitCause(repository, commit));

/** @param again tells one time from others that the commit is run again */
export const rerunId = (repository: string, commit: string, again: string): string =>
  runIdOf(`${commitCause(repository, commit)}@${again}`);

const commitCause = (repository: string, commit: string): string => `${repository.toLowerCase()}@${commit}`;
