/** `npm run bench:suite`: a suite of notebooks by the command, beside pytest with nbmake; writes docs/performance-suite.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleCommand } from '../../build/command.ts';
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
/** How many notebooks at once, of both: as many as there are cores, and what waits for some of them besides. */
const AT_ONCE = [cpus().length, 2 * cpus().length];

/** What the suite's exclusions and its timeout are to pytest. */
const NBMAKE = ['--nbmake', '--nbmake-timeout=3', '-q', '--ignore=drafts', '--deselect=good/skipped.ipynb'];

const dir = mkdtempSync(join(tmpdir(), 'noteburst-bench-'));
const suite = join(dir, 'suite');
try {
  const steps = new StepList();
  const venv = await steps.run('nbmake', (notes) =>
    setUpVenv(join(DEFAULT_STATE_DIR, 'venv'), 'nbmake', notes, interrupted),
  );
  writeSuite(suite);
  const command = await bundleCommand(join(dir, 'dist'));
  const options = { cwd: suite, signal: interrupted };
  const report = new Report('performance-suite.md', 'Performance of a suite', 'npm run bench:suite');
  report.text('What is measured', [
    '27 notebooks of five cells, of which 4 fail, one of them at its timeout of 3 s, and one is expected to fail. Both run as many at',
    'once. The lab is there before the clock starts, with a warm kernel for each notebook that it runs at once, as in the service;',
    'pytest starts its workers, and a kernel for each notebook.',
  ]);
  for (const n of AT_ONCE) {
    // One for each number: a lab keeps as many kernels warm as it may run notebooks.
    await using platform = await startPlatform(
      {
        stateDir: join(dir, `${n}`),
        executors: 1,
        executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: `${n}` },
        logLevel: 'WARNING',
        steps,
      },
      interrupted,
    );
    await platform.executors[0]?.ready();
    const env = {
      ...process.env,
      NOTEBURST_BASE_URL: platform.noteburstUrl,
      NOTEBURST_TOKEN: await platform.createToken({ username: 'bench' }),
    };
    const ours = () =>
      failing(run(process.execPath, [command, 'run', '--jobs', `${n}`], { ...options, env }), () => 4);
    const pytest = () =>
      failing(
        run(pythonOf(venv), ['-m', 'pytest', ...NBMAKE, '-n', `${n}`, '.'], options),
        // One of them by its kernel's end. It loses others now and then, and calls that the same: its time counts.
        (said) => 4 + (said.match(/^FAILED .* - NBMAKE INTERNAL ERROR$/gm)?.length ?? 0),
      );
    const times: Record<'ours' | 'pytest', number[]> = { ours: [], pytest: [] };
    // In turn, so that both have the same machine; once each before the clock starts.
    for (let round = -1; round < RUNS; round++) {
      const each = { ours: await timed(ours), pytest: await timed(pytest) };
      if (round < 0) continue;
      times.ours.push(each.ours);
      times.pytest.push(each.pytest);
    }
    report.table(`${n} notebooks at once`, [
      { who: `\`noteburst run --jobs ${n}\`, one lab`, times: sample(times.ours) },
      { who: `\`pytest --nbmake -n ${n}\``, times: sample(times.pytest) },
    ]);
  }
  report.write();
} finally {
  rmSync(dir, { recursive: true, force: true });
}

/** A run that ends as it should: with so many failures, by what it said. */
async function failing(running: Promise<string>, expected: (said: string) => number): Promise<void> {
  const said = await running.catch((error: Error) => error.message);
  if (!new RegExp(`\\b${expected(said)} failed`).test(said)) throw new Error(`Not as it should: ${said}`);
}
