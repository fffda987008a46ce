/**
 * `npm run test:faults` runs the whole matrix, `npm run test:soak` 20 minutes of random faults; both take
 * `--seed <n>`, the first also `--runs <n>` and `--write` (puts the table into docs/reliability.md), the second
 * `--minutes <n>`.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setUp } from '../../platform/setup/set-up.ts';
import { StepList } from '../../platform/setup/steps.ts';
import { ROOT } from '../../platform/state.ts';
import { endRun, TEST_RUN_VARIABLE } from '../support/test-run.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    minutes: { type: 'string' },
    write: { type: 'boolean' },
  },
});
const [project = 'faults-whole', ...files] = positionals;
await setUp({ kinds: ['std6'], steps: new StepList(), signal: new AbortController().signal });
const runId = randomUUID();
const env = {
  ...process.env,
  [TEST_RUN_VARIABLE]: runId,
  ...(values.seed !== undefined && { NOTEBURST_FAULTS_SEED: values.seed }),
  ...(values.runs !== undefined && { NOTEBURST_FAULTS_RUNS: values.runs }),
  ...(values.minutes !== undefined && { NOTEBURST_FAULTS_MINUTES: values.minutes }),
  ...(values.write && { NOTEBURST_FAULTS_WRITE: '1' }),
};
const child = spawn(
  join(ROOT, 'node_modules/.bin/vitest'),
  ['run', '--project', project, '--reporter=verbose', ...files],
  { cwd: ROOT, stdio: 'inherit', env },
);
// vitest tears its servers down on SIGINT; a terminal's Ctrl-C reaches it anyway.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGINT'));
child.once('close', (code) => {
  process.exitCode = code ?? 1;
  // At a second SIGINT vitest goes at once, and leaves what its tests started.
  void endRun(runId);
});
