/** What is kept of repositories' suites, by functions/github and the courier. */
import { KEY_PREFIX } from '../contract/nbexec-job.ts';

/** Is there when this was taken before: the bytes of a delivery, or what it asks for, by a hash. */
export const takenKey = (digest: string): string => `${KEY_PREFIX}:github:taken:${digest}`;

/** A hash: a run, and what came of it. */
export const runKey = (run: string): string => `${KEY_PREFIX}:github:run:${run}`;

/** A sorted set, by the time of their start: the ids of a repository's runs. */
export const runsKey = (repository: string): string =>
  `${KEY_PREFIX}:github:runs:${repository.toLowerCase()}`;

/** The run of a branch that ended last. */
export const lastRunKey = (repository: string, branch: string): string =>
  `${KEY_PREFIX}:github:last:${repository.toLowerCase()}:${branch}`;

/** A hash: the newest commit of a branch that was run to its end, and when that was first run. */
export const newestKey = (repository: string, branch: string): string =>
  `${KEY_PREFIX}:github:newest:${repository.toLowerCase()}:${branch}`;

/** A hash, by the name of a case: its executed notebook of the branch's last run in which it passed. */
export const goodKey = (repository: string, branch: string): string =>
  `${KEY_PREFIX}:github:good:${repository.toLowerCase()}:${branch}`;

/** A sorted set, by the time of the last run: the branches that have one. */
export const goodBranchesKey = (repository: string): string =>
  `${KEY_PREFIX}:github:good-branches:${repository.toLowerCase()}`;

/** A hash, by the schedules that there are: the instant, in ms, up to which each was looked at. */
export const schedulesKey = (repository: string): string =>
  `${KEY_PREFIX}:github:schedules:${repository.toLowerCase()}`;
