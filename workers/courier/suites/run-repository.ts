/** Runs the suite of a repository at a commit, and shows what came of it there. */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { NoteburstClient } from '../../../client/client.ts';
import { suiteJobData, type SuiteJobData } from '../../../lib/contract/suite-job.ts';
import type { SuiteRun } from '../../../lib/contract/suite-run.ts';
import type { Logger } from '../../../lib/logger.ts';
import { serviceMetadata } from '../../../lib/http/metadata.ts';
import type { SuiteRuns } from '../../../lib/queue/suite-runs.ts';
import { compareReports } from '../../../suite/compare.ts';
import { keepExecuted } from '../../../suite/keep-executed.ts';
import { suiteReport, type SuiteReport } from '../../../suite/report.ts';
import { fenced } from '../../../suite/reports/gfm.ts';
import { htmlReport } from '../../../suite/reports/html/html-report.ts';
import { runSuite, type SuiteClient } from '../../../suite/run-suite.ts';
import { SUITE_FILE, SuiteError } from '../../../suite/suite-file.ts';
import type { CourierHandler } from '../courier-queue.ts';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import { CheckRun, type CheckOutput } from '../github/check-run.ts';
import type { GithubApi } from '../github/github-api.ts';
import type { Checkout, Repositories } from '../repositories/repositories.ts';
import { outputOf } from './check-output.ts';
import type { SuitesConfig } from './config.ts';
import { isWanted, planned, type Planned } from './planned.ts';

export interface SuiteParts {
  config: Pick<SuitesConfig, 'hostUrl' | 'serviceUrl' | 'tokenPath'>;
  api: GithubApi;
  repositories: Repositories;
  runs: SuiteRuns;
  /** Where callers find the reports. */
  reportsUrl: string;
  log: Logger;
}

/** The executors are everybody's. */
const AT_ONCE = 20;
const MAX_SUITE_MS = 6 * 3_600_000;

/** What came of it: what the check run shows, and the report, if notebooks were run. */
interface Outcome {
  output: CheckOutput;
  report?: SuiteReport;
  page?: string;
}

export function suiteRunner(parts: SuiteParts): CourierHandler {
  return async ({ data, isLast, signal }) => {
    const job = suiteJobData.parse(data);
    const { runs, api, reportsUrl } = parts;
    const { run: externalId, repository, commit } = job;
    const started = new Date().toISOString();
    const run = { ...shown(job), started, state: 'running' } as const satisfies SuiteRun;
    await runs.write(run);
    const token = () => api.token(job.installation, repository, { checks: 'write' }, signal);
    const detailsUrl = `${reportsUrl}/${repository}/${externalId}`;
    const check = await CheckRun.begin(api, { repository, commit, token, externalId, detailsUrl }, signal);
    const { output, report, page } = await outcomeOf(parts, job, isLast, signal);
    const refused = await show(check, output, signal);
    const { conclusion, title } = output;
    const finished = new Date().toISOString();
    await runs.write(
      { ...run, state: 'ended', conclusion, title, finished },
      { ...(report && { report: JSON.stringify(report) }), ...(page !== undefined && { page }) },
    );
    if (refused) throw refused;
  };
}

/**
 * Whatever GitHub does not take of it, it has ended: rules of branches wait for it.
 *
 * @returns why GitHub took no more than that, or not even that
 */
async function show(
  check: CheckRun,
  output: CheckOutput,
  signal: AbortSignal,
): Promise<GivenUpError | undefined> {
  try {
    await check.complete(output, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof GivenUpError)) throw error;
    const { conclusion, title } = output;
    const bare = { conclusion, title, summary: 'GitHub did not take the rest. The details have the report.' };
    await check.complete(bare, signal).catch((again: unknown) => {
      if (!(again instanceof GivenUpError)) throw again;
    });
    return error;
  }
}

/** As its list of runs shows it. */
function shown(job: SuiteJobData): Omit<SuiteRun, 'state' | 'started'> {
  const { run: id, repository, branch, commit, event, pull_request: pull, schedule } = job;
  const cause = {
    ...(pull !== undefined && { pull_request: pull }),
    ...(schedule !== undefined && { schedule }),
  };
  return { id, repository, branch, commit, event, ...cause };
}

/** @throws what may be otherwise later, unless it is the last attempt */
async function outcomeOf(
  parts: SuiteParts,
  job: SuiteJobData,
  isLast: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    await using checkout = await checkOut(parts, job, signal);
    const plan = await planned(checkout);
    if (!plan) return { output: NO_SUITE };
    return await runPlanned(parts, job, plan, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SuiteError)
      return { output: problem('action_required', 'The suite cannot be run', error.message) };
    const isKnown = error instanceof GivenUpError || error instanceof RetryLaterError;
    if (!isLast && !(error instanceof GivenUpError)) throw error;
    const { repository, commit, run } = job;
    parts.log.warn({ err: error, repository, commit, run }, 'suite could not be run');
    // Nobody would end the check run any more.
    const message = isKnown
      ? error.message
      : 'Something is wrong in the service; its operators find it in the log';
    return { output: problem('failure', 'The suite could not be run', message) };
  }
}

const NO_SUITE: CheckOutput = {
  conclusion: 'neutral',
  title: `There is no ${SUITE_FILE}`,
  summary: `Notebooks of this repository are run when it has a file \`${SUITE_FILE}\` that says which.`,
};

const problem = (conclusion: 'action_required' | 'failure', title: string, message: string): CheckOutput => ({
  conclusion,
  title,
  // As text, whatever a repository's files say.
  summary: fenced(message.slice(0, 10_000), 'text'),
});

async function checkOut(parts: SuiteParts, job: SuiteJobData, signal: AbortSignal): Promise<Checkout> {
  const { installation, repository, commit } = job;
  const token = await parts.api.token(installation, repository, { contents: 'read' }, signal);
  const url = new URL(`${parts.config.hostUrl}/${repository}.git`);
  const authorization = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
  return parts.repositories.checkOut({ repository, url, commit, authorization }, isWanted, signal);
}

async function runPlanned(
  parts: SuiteParts,
  job: SuiteJobData,
  { suite, cases, notes }: Planned,
  signal: AbortSignal,
): Promise<Outcome> {
  const { config, runs } = parts;
  const client = new NoteburstClient({
    baseUrl: config.serviceUrl,
    token: (await readFile(config.tokenPath, 'utf8')).trim(),
    userAgent: `${serviceMetadata.name}-github/${serviceMetadata.version}`,
  });
  const last = await runs.lastReport(job.repository, job.branch);
  // One of another version may have other fields; then nothing is compared.
  const previous = last === undefined ? undefined : suiteReport.safeParse(JSON.parse(last)).data;
  const started = new Date();
  const results = await runSuite({
    client: leaving(client, signal),
    cases,
    atOnce: AT_ONCE,
    signal: AbortSignal.any([signal, AbortSignal.timeout(MAX_SUITE_MS)]),
    // What an attempt before this one has submitted is found again.
    keyOf: ({ name }) => `suite-${job.run}-${hash('sha256', name, 'hex').slice(0, 32)}`,
    onExecuted: keepExecuted({ cases, regression: suite.regression }),
  });
  signal.throwIfAborted();
  const report: SuiteReport = {
    version: 1,
    suite: suite.name ?? job.repository,
    service: config.serviceUrl,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    revision: job.commit,
    results,
  };
  const page = htmlReport(report, previous && compareReports(report, previous));
  return { output: outputOf(report, previous, notes), report, page };
}

/** Somebody else goes on with the suite when this courier has to go: what runs is not cancelled then. */
function leaving(client: NoteburstClient, signal: AbortSignal): SuiteClient {
  return {
    submit: (...args) => client.submit(...args),
    wait: (...args) => client.wait(...args),
    events: (...args) => client.events(...args),
    pageOf: (id) => client.pageOf(id),
    cancel: (id, limit) => (signal.aborted ? client.get(id, limit) : client.cancel(id, limit)),
  };
}
