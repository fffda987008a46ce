/** One run of the action: runs the suite in the service, and tells GitHub what came of it. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import * as core from '@actions/core';
import { NoteburstClient } from '../client/client.ts';
import { keepExecuted } from '../suite/keep-executed.ts';
import type { SuiteCase } from '../suite/plan.ts';
import type { CaseResult, SuiteReport } from '../suite/report.ts';
import { resultLine, summaryText } from '../suite/reports/terminal.ts';
import { painter } from '../suite/reports/terminal-style.ts';
import { runSuite, type SuiteRun } from '../suite/run-suite.ts';
import { compareReports } from '../suite/compare.ts';
import { readPrevious, writeReports } from '../suite/write-reports.ts';
import { annotationsOf, counted } from './annotations.ts';
import { upload } from './artifact.ts';
import { wantedCases } from './cases.ts';
import type { GithubEvent } from './changed.ts';
import { InputError, type Inputs } from './inputs.ts';
import { withoutCommands } from './log.ts';
import { outcomeOf } from './outcome.ts';
import { exchangeToken } from './token-exchange.ts';

/** Where the action runs. */
export interface Runner {
  /** The folder with the checkout. */
  workspace: string;
  /** A folder that is emptied after the job. */
  temp: string;
  event: GithubEvent;
  /** The commit's id. */
  revision: string | undefined;
}

/** The commands of the levels. */
const annotateAt = { error: core.error, notice: core.notice };

/** GitHub shows colours in logs. */
const paint = painter(process.stdout, true);

/** The longest that a name is given room for. */
const NAME_WIDTH = 60;

export async function runAction(inputs: Inputs, { workspace, temp, event, revision }: Runner): Promise<void> {
  if (inputs.token !== undefined) core.setSecret(inputs.token);
  const { suite, cases } = await wantedCases(inputs, workspace, event);
  if (cases.length === 0) {
    core.notice('No notebook has changed, so that there is nothing to run');
    setOutputs({ verdict: 'passed', passed: 0, failed: 0 });
    return;
  }
  const token = await tokenOf(inputs);
  // A wrong one is told before anything is run.
  const previous = await previousOf(inputs, workspace);
  const client = new NoteburstClient({ baseUrl: inputs.baseUrl, token, userAgent: 'noteburst-action' });
  const dir = mkdtempSync(join(temp, 'noteburst-'));
  const executed = join(dir, 'notebooks');
  const started = new Date();
  const { regression } = suite;
  const baseline = inputs.baseline === undefined ? undefined : resolve(workspace, inputs.baseline);
  const onExecuted = keepExecuted({ cases, out: executed, regression, baseline });
  const { results, isCancelled } = await runCases({ client, cases, onExecuted }, inputs);
  const report: SuiteReport = {
    version: 1,
    suite: suite.name ?? 'notebooks',
    service: inputs.baseUrl,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    ...(revision === undefined ? {} : { revision }),
    results,
  };
  await withoutCommands(() => core.info(summaryText(report, paint)));
  // First of all the verdict: whatever fails from here on does not hide it.
  annotate(results, cases, workspace);
  const { problem, ...outcome } = outcomeOf(report, isCancelled);
  if (problem !== undefined) core.setFailed(problem);
  setOutputs({ ...outcome });
  const files = {
    html: join(dir, 'report.html'),
    junit: join(dir, 'junit.xml'),
    json: join(dir, 'report.json'),
  };
  const markdown = join(dir, 'summary.md');
  try {
    await writeReports(report, { ...files, markdown }, previous && compareReports(report, previous));
    setOutputs({ ...files, executed });
    await core.summary.addRaw(readFileSync(markdown, 'utf8'), true).write();
  } finally {
    // There is no time for more when the workflow is cancelled.
    if (inputs.artifact !== undefined && !isCancelled) await upload(inputs.artifact, dir);
  }
}

async function tokenOf({ token, exchange }: Inputs): Promise<string> {
  if (token !== undefined) return token;
  if (exchange) return exchangeToken(exchange);
  throw new InputError(
    'There is no token: the inputs token and token-exchange-url are empty. Pull requests from forks get no secrets',
  );
}

/**
 * Runs them, with a line in the log for each that has ended. GitHub cancels a step by SIGINT, 7.5 s later SIGTERM, and 2.5 s
 * later SIGKILL: time to cancel what runs in the service.
 */
async function runCases(
  { client, cases, onExecuted }: Required<Pick<SuiteRun, 'client' | 'cases' | 'onExecuted'>>,
  { jobs, failFast }: Inputs,
): Promise<{ results: CaseResult[]; isCancelled: boolean }> {
  const cancelled = new AbortController();
  const { signal } = cancelled;
  const onSignal = () => cancelled.abort(new Error('the workflow was cancelled'));
  const width = Math.min(NAME_WIDTH, Math.max(...cases.map(({ name }) => name.length)));
  const onResult = (result: CaseResult) => core.info(resultLine(result, width, paint));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  core.startGroup(`Running ${counted(cases.length)}`);
  try {
    const run = { client, cases, atOnce: jobs, failFast, signal, onResult, onExecuted };
    const results = await withoutCommands(() => runSuite(run));
    return { results, isCancelled: signal.aborted };
  } finally {
    core.endGroup();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function annotate(results: readonly CaseResult[], cases: readonly SuiteCase[], workspace: string): void {
  const files = new Map(cases.map(({ name, file }) => [name, inRepository(workspace, file)]));
  for (const { level, message, properties } of annotationsOf(results, ({ name }) => files.get(name))) {
    annotateAt[level](message, properties);
  }
}

function inRepository(workspace: string, file: string): string | undefined {
  const path = core.toPosixPath(relative(workspace, file));
  return path.startsWith('../') || isAbsolute(path) ? undefined : path;
}

/** The report of the run before; the first has none. */
async function previousOf({ previous }: Inputs, workspace: string): Promise<SuiteReport | undefined> {
  if (previous === undefined) return undefined;
  const report = await readPrevious(resolve(workspace, previous));
  if (!report) core.notice(`${previous} is not there: this run is compared with none`);
  return report;
}

function setOutputs(outputs: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value);
}
