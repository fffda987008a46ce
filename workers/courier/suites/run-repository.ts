/** Runs the suite of a repository at a commit, and shows what came of it there. */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { NoteburstClient } from '../../../client/client.ts';
import { suiteJobData, type SuiteJobData } from '../../../lib/contract/suite-job.ts';
import type { SuiteRun } from '../../../lib/contract/suite-run.ts';
import { durationText } from '../../../lib/html/time.ts';
import type { Logger } from '../../../lib/logger.ts';
import { serviceMetadata } from '../../../lib/http/metadata.ts';
import { GoodRuns } from '../../../lib/queue/good-runs.ts';
import type { Remains, SuiteRuns } from '../../../lib/queue/suite-runs.ts';
import { compareReports } from '../../../suite/compare.ts';
import { keepExecuted } from '../../../suite/keep-executed.ts';
import { suiteReport, type SuiteReport } from '../../../suite/report.ts';
import { htmlReport } from '../../../suite/reports/html/html-report.ts';
import { runSuite } from '../../../suite/run-suite.ts';
import { SuiteError } from '../../../suite/suite-file.ts';
import type { CourierHandler, CourierTask } from '../courier-queue.ts';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import { CheckRun, type CheckOutput } from '../github/check-run.ts';
import type { GithubApi } from '../github/github-api.ts';
import type { Checkout, Repositories } from '../repositories/repositories.ts';
import type { Turns } from '../turns.ts';
import { NO_SUITE, outputOf, problem, REMOVED_SUITE } from './check-output.ts';
import type { SuitesConfig } from './config.ts';
import { forOthers } from './for-others.ts';
import { KeptNotebooks } from './kept-notebooks.ts';
import { lastGoodOf } from './last-good.ts';
import { isWanted, planned, type Planned } from './planned.ts';
import { isRemoved } from './removed-suite.ts';
import { isServiceTrouble, SuiteService } from './suite-service.ts';

export interface SuiteParts {
  config: Pick<SuitesConfig, 'hostUrl' | 'publicUrl' | 'serviceUrl' | 'tokenPath'>;
  api: GithubApi;
  repositories: Repositories;
  runs: SuiteRuns;
  redis: Redis;
  /** For what takes much memory. */
  turns: Turns;
  /** Where callers find the reports. */
  reportsUrl: string;
  limits: SuiteLimits;
  log: Logger;
}

/** In ms. */
export interface SuiteLimits {
  /** How long an attempt may take. */
  attemptMs: number;
  /** How long after its begin a run gets another attempt. */
  runMs: number;
  /** What an attempt has at least, however late it begins. */
  lastMs: number;
}

/** The executors are everybody's. */
const AT_ONCE = 20;
/** What it reads may be what its courier dies of. */
const MAX_LOSSES = 3;

/** What came of it: what the check run shows, and what is kept, if notebooks were run. */
interface Outcome {
  output: CheckOutput;
  left?: Remains;
}

export function suiteRunner(parts: SuiteParts): CourierHandler {
  return async (task) => {
    const job = suiteJobData.parse(task.data);
    // Whichever attempt it is: the first has begun it.
    const started = (await parts.runs.find(job.run))?.started ?? now();
    const run = { ...shown(job), started, state: 'running' } as const;
    if (Date.now() < Date.parse(started) + parts.limits.runMs) return attempt(parts, job, { ...task, run });
    await attempt(parts, job, { ...task, run, isLast: true }).catch((error: unknown) => {
      throw task.signal.aborted ? error : new GivenUpError((error as Error).message, { cause: error });
    });
  };
}

/** An attempt, and what is known of the run that it is for. */
interface Attempt extends CourierTask {
  run: SuiteRun & { state: 'running' };
}

const now = (): string => new Date().toISOString();

async function attempt(parts: SuiteParts, job: SuiteJobData, task: Attempt): Promise<void> {
  const { run, signal } = task;
  const { runs, api, reportsUrl } = parts;
  const { run: externalId, repository, commit } = job;
  await runs.write(run);
  const token = () => api.token(job.installation, repository, { checks: 'write' }, signal);
  const detailsUrl = `${reportsUrl}/${repository}/${externalId}`;
  const place = { repository, commit, token, externalId, detailsUrl };
  const check = await CheckRun.begin(api, place, signal).catch(async (error: unknown) => {
    if (!isFinal(error, task)) throw error;
    const title = 'GitHub did not take its check run';
    await runs.write({ ...run, state: 'ended', conclusion: 'failure', title, finished: now() });
    throw error;
  });
  const { output, left } = await outcomeOf(parts, job, task).catch(async (error: unknown) => {
    if (!signal.aborted) await postpone(parts, check, signal);
    throw error;
  });
  const refused = await show(check, output, task);
  const { conclusion, title } = output;
  await runs.write({ ...run, state: 'ended', conclusion, title, finished: now() }, left);
  if (refused) throw refused;
}

/** Whether nobody comes after this attempt that has failed, so that what it leaves open stays open. */
const isFinal = (error: unknown, { isLast, signal }: CourierTask): boolean =>
  !signal.aborted && (isLast || error instanceof GivenUpError);

/** So that people see why it is in progress for so long; in the end it does not matter whether GitHub takes it. */
async function postpone({ log }: SuiteParts, check: CheckRun, signal: AbortSignal): Promise<void> {
  const why =
    'The service could not run all of it yet. It is begun again, and finds what has been run before.';
  await check.postpone('To be begun again', why, signal).catch((error: unknown) => {
    log.warn({ err: error }, 'check run not postponed');
  });
}

/**
 * Whatever GitHub does not take of it, it has ended: rules of branches wait for it.
 *
 * @returns why GitHub took no more than that, or not even that
 */
async function show(check: CheckRun, output: CheckOutput, task: CourierTask): Promise<Error | undefined> {
  const { signal } = task;
  try {
    await check.complete(output, signal);
    return undefined;
  } catch (error) {
    if (!isFinal(error, task)) throw error;
    const { conclusion, title } = output;
    const bare = { conclusion, title, summary: 'GitHub did not take the rest. The details have the report.' };
    await check.complete(bare, signal).catch((again: unknown) => {
      if (!isFinal(again, task)) throw again;
    });
    return error as Error;
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
async function outcomeOf(parts: SuiteParts, job: SuiteJobData, task: Attempt): Promise<Outcome> {
  const { signal, losses } = task;
  try {
    if (losses > MAX_LOSSES)
      throw new GivenUpError(
        `The service's process was lost ${losses} times while it ran this suite, which may be too large for it`,
      );
    await using checkout = await checkOut(parts, job, signal);
    const plan = await planned(checkout);
    if (plan) return await runPlanned(parts, job, plan, task);
    return { output: (await isRemoved(parts.api, job, signal)) ? REMOVED_SUITE : NO_SUITE };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SuiteError)
      return { output: problem('action_required', 'The suite cannot be run', error.message) };
    const isKnown = error instanceof GivenUpError || error instanceof RetryLaterError;
    if (!isFinal(error, task)) throw error;
    const { repository, commit, run } = job;
    parts.log.warn({ err: error, repository, commit, run }, 'suite could not be run');
    // Nobody would end the check run any more.
    const message = isKnown
      ? error.message
      : 'Something is wrong in the service; its operators find it in the log';
    return { output: problem('failure', 'The suite could not be run', message) };
  }
}

async function checkOut(parts: SuiteParts, job: SuiteJobData, signal: AbortSignal): Promise<Checkout> {
  const { installation, repository, commit } = job;
  const token = await parts.api.token(installation, repository, { contents: 'read' }, signal);
  const url = new URL(`${parts.config.hostUrl}/${repository}.git`);
  const authorization = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
  return parts.repositories.checkOut({ repository, url, commit, authorization }, isWanted, signal);
}

/** How long an attempt may take that begins now. */
function timeLeftMs({ attemptMs, runMs, lastMs }: SuiteLimits, { started }: SuiteRun): number {
  return Math.min(attemptMs, Math.max(lastMs, Date.parse(started) + runMs - Date.now()));
}

async function runPlanned(
  parts: SuiteParts,
  job: SuiteJobData,
  { suite, cases, notes }: Planned,
  { run, signal, isLast }: Attempt,
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
  const { regression } = suite;
  const good = new GoodRuns(parts.redis, { ...job, baseline: regression?.baseline });
  const compared = keepExecuted({ cases, regression, baseline: lastGoodOf(good) });
  const kept = new KeptNotebooks(cases);
  const started = new Date();
  const limit = AbortSignal.timeout(timeLeftMs(parts.limits, run));
  // Otherwise somebody else goes on with it, and finds what runs.
  const mayCancel = () => !signal.aborted && (isLast || limit.aborted);
  const { turns, log } = parts;
  const service = new SuiteService({ client, turns, mayCancel, log });
  const results = await runSuite({
    client: service,
    cases,
    atOnce: AT_ONCE,
    signal: AbortSignal.any([signal, limit]),
    // What an attempt before this one has submitted is found again.
    keyOf: ({ name }) => `suite-${job.run}-${hash('sha256', name, 'hex').slice(0, 32)}`,
    onExecuted: async (which, text, ran) => {
      const told = await compared(which, text, ran);
      await kept.add(which, text, ran.isWell && !told.failure && !which.expectedFailure);
      return told;
    },
  });
  signal.throwIfAborted();
  if (!isLast && !limit.aborted) service.assertRun(results);
  if (results.some(isServiceTrouble))
    notes.push('The service was in trouble: what could not be run is no fault of the notebooks.');
  const isLate =
    limit.aborted && results.some(({ verdict }) => verdict === 'cancelled' || verdict === 'skipped');
  if (isLate) {
    const tookMs = Date.now() - Date.parse(run.started);
    notes.push(`It was ended after ${durationText(tookMs)}, with what ran then.`);
  }
  if (regression?.against === 'last' && (await runs.isNewest(run)))
    await good.write(
      cases.map(({ name }) => name),
      kept.passed,
    );
  const unreached = results.find(({ failure }) => failure?.reason === 'unreachable')?.failure;
  if (unreached) parts.log.warn({ run: job.run, why: unreached.message }, 'service not reached by a suite');
  const report: SuiteReport = {
    version: 1,
    suite: suite.name ?? job.repository,
    service: config.publicUrl,
    started: started.toISOString(),
    finished: new Date().toISOString(),
    revision: job.commit,
    results: forOthers(results, kept, `${job.run}/notebooks`),
  };
  const page = htmlReport(report, previous && compareReports(report, previous));
  const output = outputOf(report, previous, notes);
  const shown: CheckOutput = isLate ? { ...output, conclusion: 'timed_out' } : output;
  return { output: shown, left: { report: JSON.stringify(report), page, notebooks: kept.files } };
}
