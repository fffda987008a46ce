/** `npm run bench:suite`: a suite of notebooks by the command, beside pytest with nbmake; writes docs/performance-suite.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../build/bundle.ts';
import { COMMAND, OLDEST_NODE } from '../../build/command.ts';
import { startPlatform } from '../../platform/platform.ts';
import { run } from '../../platform/process/run.ts';
import { pythonOf, setUpVenv } from '../../platform/setup/venv.ts';
import { StepList } from '../../platform/setup/steps.ts';
import { DEFAULT_STATE_DIR } from '../../platform/state.ts';
import { writeSuite } from '../../test/support/suite-notebooks.ts';
import { interrupted } from '../interrupted.ts';
import { Report } from '../report.ts';
import { sample, timed } from '../statistics.ts';

const RUNS = 5;
const WORKERS = cpus().length;

/** What the suite's exclusions and its timeout are to pytest. */
const NBMAKE = ['--nbmake', '-n', `${WORKERS}`, '--nbmake-timeout=3', '-q', '--ignore=drafts'];
const LEFT_OUT = '--deselect=good/skipped.ipynb';

const dir = mkdtempSync(join(tmpdir(), 'noteburst-bench-'));
const suite = join(dir, 'suite');
try {
  const steps = new StepList();
  const venv = await steps.run('nbmake', (notes) =>
    setUpVenv(join(DEFAULT_STATE_DIR, 'venv'), 'nbmake', notes, interrupted),
  );
  await using platform = await startPlatform(
    {
      stateDir: dir,
      executors: 1,
      executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: `${2 * WORKERS}` },
      logLevel: 'WARNING',
      steps,
    },
    interrupted,
  );
  await platform.executors[0]?.ready();
  writeSuite(suite);
  await bundle(...COMMAND, join(dir, 'dist'), OLDEST_NODE);
  const env = {
    ...process.env,
    NOTEBURST_BASE_URL: platform.noteburstUrl,
    NOTEBURST_TOKEN: await platform.createToken({ username: 'bench' }),
  };
  const options = { cwd: suite, env, signal: interrupted };
  const ours = () =>
    failing(run(process.execPath, [join(dir, 'dist/noteburst.mjs'), 'run'], options), '4 failed');
  const pytest = () =>
    failing(run(pythonOf(venv), ['-m', 'pytest', ...NBMAKE, LEFT_OUT, '.'], options), '5 failed');
  const times: Record<'ours' | 'pytest', number[]> = { ours: [], pytest: [] };
  // In turn, so that both have the same machine; once each before the clock starts.
  for (let n = -1; n < RUNS; n++) {
    const each = { ours: await timed(ours), pytest: await timed(pytest) };
    if (n < 0) continue;
    times.ours.push(each.ours);
    times.pytest.push(each.pytest);
  }
  const report = new Report('performance-suite.md', 'Performance of a suite', 'npm run bench:suite');
  report.table(
    '27 notebooks of five cells, of which 4 fail, one of them at its timeout of 3 s, and one is expected to fail',
    [
      { who: `\`noteburst run\`, one lab, ${2 * WORKERS} notebooks at once`, times: sample(times.ours) },
      { who: `\`pytest --nbmake -n ${WORKERS}\`, ${WORKERS} at once`, times: sample(times.pytest) },
    ],
  );
  report.write();
} finally {
  rmSync(dir, { recursive: true, force: true });
}

/** A run that ends as it should: with failures, these. */
async function failing(running: Promise<string>, told: string): Promise<void> {
  const said = await running.catch((error: Error) => error.message);
  if (!said.includes(told)) throw new Error(`Not as it should: ${said}`);
}
