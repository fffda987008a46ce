import { randomUUID } from 'node:crypto';
import { endRun, TEST_RUN_VARIABLE } from './test-run.ts';

/** vitest's global set-up of the tiers whose tests start processes: they are ended with the run, however it ends. */
export default function setUp(): () => Promise<void> {
  const runId = (process.env[TEST_RUN_VARIABLE] ??= randomUUID());
  return () => endRun(runId);
}
