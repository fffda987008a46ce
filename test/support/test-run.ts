import { randomUUID } from 'node:crypto';
import { sweepRun } from '../../platform/process/leftovers.ts';

/** In the environment of vitest's workers, by global-run.ts; what they start does not inherit it. */
export const TEST_RUN_VARIABLE = 'NOTEBURST_TEST_RUN';

/** The id of every process that tests start in this run, so that what an interrupted run leaves is found. */
export const testRunId = (): string => process.env[TEST_RUN_VARIABLE] ?? randomUUID();

/** Ends what tests have left running, in bounded time. */
export async function endRun(runId: string): Promise<void> {
  const ended = await sweepRun(runId, 3_000);
  if (ended > 0) console.log(`${ended} processes that tests had left were ended`);
}
