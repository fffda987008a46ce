import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { NoteburstClient } from '../../client/client.ts';
import { keepExecuted } from '../../suite/keep-executed.ts';
import { loadSuite } from '../../suite/load-suite.ts';
import { planSuite, type SuiteCase } from '../../suite/plan.ts';
import type { SuiteReport } from '../../suite/report.ts';
import { summaryText } from '../../suite/reports/terminal.ts';
import { runSuite } from '../../suite/run-suite.ts';
import type { SuiteFile } from '../../suite/suite-file.ts';
import { compareWith, writeReports } from '../../suite/write-reports.ts';
import { exitCodeOf, UsageError } from '../exit-code.ts';
import { untilInterrupted } from '../interrupt.ts';
import { address, connect, type ConnectionArguments } from '../options.ts';
import { paintFor } from '../terminal/colours.ts';
import { Progress } from '../terminal/progress.ts';
import { onChange } from '../watch.ts';
import { optionsOf, runOptions, type RunArguments } from './run-options.ts';

export const runCommand: CommandModule<ConnectionArguments, RunArguments> = {
  command: ['run [paths..]'],
  describe: 'Run notebooks and say which of them passed',
  builder: runOptions,
  handler: async (args) => {
    process.exitCode = await run(args);
  },
};

async function run(args: ArgumentsCamelCase<RunArguments>): Promise<number> {
  const client = connect(args);
  const { paths = [], exclude } = args;
  const { suite, dir } = loadSuite(process.cwd(), args.suite, paths);
  if (suite.regression?.against === 'last' && args.baseline === undefined) {
    throw new UsageError('The suite compares outputs with the last good run. Where is it? Give --baseline');
  }
  const cases = await planSuite({ dir, suite, paths, exclude, options: await optionsOf(args) });
  const signal = untilInterrupted();
  let code = await runCases(args, client, suite, cases, signal);
  if (args.watch) {
    for await (const changed of onChange(cases, signal)) {
      code = await runCases(args, client, suite, changed, signal);
    }
  }
  return code;
}

/** @returns the exit code */
async function runCases(
  args: ArgumentsCamelCase<RunArguments>,
  client: NoteburstClient,
  suite: SuiteFile,
  cases: readonly SuiteCase[],
  signal: AbortSignal,
): Promise<number> {
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
    onExecuted: keepExecuted({ out: args.out, regression: suite.regression, baseline: args.baseline }),
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
  const comparison = args.previous === undefined ? undefined : await compareWith(report, args.previous);
  process.stdout.write(summaryText(report, paintFor(process.stdout), comparison));
  await writeReports(report, args, comparison);
  return exitCodeOf(results, signal.aborted);
}
