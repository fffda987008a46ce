/** A run of a repository's suite, as its list of runs shows it. */
import { z } from 'zod';
import { repositoryName, SUITE_EVENTS } from './suite-job.ts';

/** How long after its begin a run gets another attempt. The pause before that is a matter of hours, the attempt of minutes. */
export const MAX_RUN_MS = 24 * 3_600_000;
/** How much longer a run may be on its way all the same. */
export const LAST_ATTEMPT_MS = 12 * 3_600_000;

export const suiteRun = z.object({
  id: z.string(),
  repository: repositoryName,
  branch: z.string(),
  commit: z.string(),
  event: z.enum(SUITE_EVENTS),
  pull_request: z.number().optional(),
  /** The name of the schedule, of an event `schedule`. */
  schedule: z.string().optional(),
  state: z.enum(['running', 'ended']),
  /** As the check run has it; absent while it runs. */
  conclusion: z.string().optional(),
  /** In a line, what came of it. */
  title: z.string().optional(),
  started: z.iso.datetime(),
  finished: z.iso.datetime().optional(),
});
export type SuiteRun = z.infer<typeof suiteRun>;
