/** Runs of a repository's suite, from what asks for one to what came of it. */
import { z } from 'zod';

export const SUITE_EVENTS = ['push', 'merge', 'pull_request', 'schedule', 'rerun'] as const;

/** `owner/name`, as GitHub allows it. */
export const repositoryName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/(?!\.{1,2}$)[\w.-]{1,100}$/, 'should be owner/name');

export const suiteJobData = z.object({
  version: z.literal(1),
  /** The id of the run. */
  run: z.string().regex(/^[0-9a-f]{32}$/),
  repository: repositoryName,
  commit: z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/),
  /** By which the app may act on the repository. */
  installation: z.number().int().positive(),
  event: z.enum(SUITE_EVENTS),
  branch: z.string().max(1_000),
  /** The branch that this one may be merged into; absent where nobody said. */
  base: z.string().max(1_000).optional(),
  pull_request: z.number().int().positive().optional(),
  /** Of the suite file, of an event `schedule`. */
  schedule: z.string().optional(),
});
export type SuiteJobData = z.infer<typeof suiteJobData>;

/** No ":", as BullMQ wants it. */
export const suiteJobId = (run: string): string => `suite-${run}`;
