import { randomUUID } from 'node:crypto';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { NoteburstClient } from '../../client/client.ts';
import { compareReports } from '../../suite/compare.ts';
import { keepExecuted } from '../../suite/keep-executed.ts';
import { loadSuite } from '../../suite/load-suite.ts';
import { planSuite, type SuiteCase } from '../../suite/plan.ts';
import type { SuiteReport } from '../../suite/report.ts';
import { summaryText } from '../../suite/reports/terminal.ts';
import { runSuite, type SuiteRun } from '../../suite/run-suite.ts';
import type { SuiteFile } from '../../suite/suite-file.ts';
import { prepareReports, readPrevious, writeReports } from '../../suite/write-reports.ts';
import { EXIT, exitCodeOf, UsageError } from '../exit-code.ts';
import { untilInterrupted } from '../interrupt.ts';
import { address, connect, type ConnectionArguments } from '../options.ts';
import { paintFor } from '../terminal/colours.ts';
import { Progress } from '../terminal/progress.ts';
import { onChange } from '../watch.ts';
import { optionsOf, runArguments, type RunArguments } from './run-options.ts';

export const runCommand: CommandModule<ConnectionArguments, RunArguments> = {
  command: ['run [paths..]'],
  describe: 'Run notebooks and say which of them passed',
  builder: runArguments,
  handler: async (args) => {
    process.exitCode = await run(args);
  },
};

async function run(args: ArgumentsCamelCase<RunArguments>): Promise<number> {
  const client = connect(args);
  const base = process.cwd();
  const { paths = [], exclude } = args;
  const { suite, dir } = loadSuite(base, args.suite, paths);
  if (suite.regression?.against === 'last' && args.baseline === undefined) {
    throw new UsageError('The suite compares outputs with the last good run. Where is it? Give --baseline');
  }
  const cases = await planSuite({ dir, suite, base, paths, exclude, options: await optionsOf(args) });
  // What is wrong with files is known before anything is run.
  await prepareReports(args);
  const previous = args.previous === undefined ? undefined : await readPrevious(args.previous);
  const { out, baseline } = args;
  const onExecuted = keepExecuted({ cases, out, baseline, regression: suite.regression });
  const signal = untilInterrupted();
  const once = (chosen: readonly SuiteCase[]) =>
    withoutCommands(() => runCases(args, { client, suite, cases: chosen, onExecuted, previous, signal }));
  // From now on, so that an edit during the first run is not lost.
  const changes = args.watch ? onChange(cases, signal) : undefined;
  const code = await once(cases);
  if (!changes) return code;
  for await (const changed of changes) await once(changed);
  return EXIT.interrupted;
}

interface Running {
  client: NoteburstClient;
  suite: SuiteFile;
  cases: readonly SuiteCase[];
  onExecuted: SuiteRun['onExecuted'];
  previous: SuiteReport | undefined;
  signal: AbortSignal;
}

/** @returns the exit code */
async function runCases(args: RunArguments, running: Running): Promise<number> {
  const { client, suite, cases, onExecuted, previous, signal } = running;
  const started = new Date().toISOString();
  const progress = new Progress(cases, process.stdout);
  const results = await runSuite({
    client,
    cases,
    atOnce: args.jobs,
    failFast: args['fail-fast'],
    signal,
    onSubmitted: (which) => progress.submitted(which),
    // Nobody watches a log.
    ...(process.stdout.isTTY ? { onEvent: (which, event) => progress.happened(which, event) } : {}),
    onResult: (result) => progress.ended(result),
    ...(onExecuted && { onExecuted }),
  }).finally(() => progress[Symbol.dispose]());
  const revision = process.env['GITHUB_SHA'] ?? process.env['CI_COMMIT_SHA'];
  const report: SuiteReport = {
    version: 1,
    suite: suite.name ?? 'notebooks',
    service: address(args).baseUrl,
    started,
    finished: new Date().toISOString(),
    ...(revision === undefined ? {} : { revision }),
    results,
  };
  const comparison = previous && compareReports(report, previous);
  process.stdout.write(summaryText(report, paintFor(process.stdout), comparison));
  await writeReports(report, args, comparison);
  return exitCodeOf(results, signal.aborted);
}

/** GitHub's runner obeys lines of a log that begin with `::`, and notebooks may write any. */
async function withoutCommands(work: () => Promise<number>): Promise<number> {
  if (process.env['GITHUB_ACTIONS'] !== 'true') return work();
  const word = randomUUID();
  process.stdout.write(`::stop-commands::${word}\n`);
  try {
    return await work();
  } finally {
    process.stdout.write(`::${word}::\n`);
  }
}
