/** What came of suites, for who may run notebooks on the platform. */
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { isAllowedRepository, type GithubRepositories } from '../../lib/config/github-env.ts';
import { asksFor } from '../../lib/http/accept.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable } from '../../lib/http/http-error.ts';
import type { PathParams } from '../../lib/http/routes.ts';
import {
  MAX_DOCUMENT_BYTES,
  MAX_NOTEBOOK_BYTES,
  type RunDocument,
  type SuiteRuns,
} from '../../lib/queue/suite-runs.ts';
import type { HeldAnswers } from './held-answers.ts';
import { runPage, runsPage } from './runs-page.ts';

export interface ReportsParts {
  callers: CallerCheck;
  repositories: GithubRepositories;
  runs: Pick<SuiteRuns, 'find' | 'list' | 'document' | 'notebook'>;
  answers: HeldAnswers;
  /** Where callers find them. */
  reportsUrl: string;
  pathPrefix: string;
}

const HTML = 'text/html';
/** The number that makes it unique in the run, and how people know it. */
const NOTEBOOK_FILE = /^\d{1,4}-([\w.-]{1,120})$/;

/** What a report may do is in the report itself, as it is opened as a file, too: here it may not even be framed. */
const REPORT_HEADERS = {
  'Content-Security-Policy':
    "frame-ancestors 'none'; sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-downloads",
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept',
};

/** `GET /github/{owner}/{repo}`: the last runs, newest first. */
export async function list(parts: ReportsParts, request: ApiRequest, params: PathParams): Promise<ApiReply> {
  const repository = await repositoryOf(parts, request, params);
  const runs = await fromRedis(request, () => parts.runs.list(repository));
  const below = `${parts.reportsUrl}/${repository}`;
  if (asksFor(request, HTML)) return runsPage({ repository, runs, pathPrefix: parts.pathPrefix }, below);
  const told = runs.map((run) => ({ ...run, url: `${below}/${run.id}` }));
  return { status: 200, headers: { Vary: 'Accept' }, json: { repository, runs: told } };
}

/** `GET /github/{owner}/{repo}/{run}`: the report, as a page or as JSON. */
export async function report(
  parts: ReportsParts,
  request: ApiRequest,
  params: PathParams,
): Promise<ApiReply> {
  const run = await runOf(parts, request, params);
  if (!asksFor(request, HTML)) {
    const text = await documentOf(parts, request, run.id, 'report');
    const report: unknown = text === undefined ? undefined : JSON.parse(text);
    return { status: 200, headers: { Vary: 'Accept' }, json: { ...run, ...(report ? { report } : {}) } };
  }
  const content = await documentOf(parts, request, run.id, 'page');
  if (content === undefined) {
    const { repository } = run;
    const shown = { repository, runs: [run], pathPrefix: parts.pathPrefix };
    return runPage(shown, `${parts.reportsUrl}/${repository}`);
  }
  return { status: 200, headers: REPORT_HEADERS, body: { type: 'text/html; charset=utf-8', content } };
}

/** `GET /github/{owner}/{repo}/{run}/notebooks/{file}`: a notebook as it was executed, or as far as it came, as a file. */
export async function notebook(
  parts: ReportsParts,
  request: ApiRequest,
  params: PathParams,
): Promise<ApiReply> {
  const run = await runOf(parts, request, params);
  const [file, name] = NOTEBOOK_FILE.exec(params['file'] ?? '') ?? [];
  const read = async () =>
    file === undefined ? undefined : fromRedis(request, () => parts.runs.notebook(run.id, file));
  const content = await parts.answers.hold(request.signal, MAX_NOTEBOOK_BYTES, read);
  if (content === undefined) throw unknown('file', 'The notebook is not kept');
  return {
    status: 200,
    headers: {
      'Content-Disposition': `attachment; filename="${name}"`,
      // A browser that shows it all the same is to run nothing of it.
      'Content-Security-Policy': "sandbox; default-src 'none'",
    },
    body: { type: 'application/x-ipynb+json', content },
  };
}

const documentOf = (
  { answers, runs }: ReportsParts,
  request: ApiRequest,
  run: string,
  name: RunDocument,
): Promise<string | undefined> =>
  answers.hold(request.signal, MAX_DOCUMENT_BYTES, () => fromRedis(request, () => runs.document(run, name)));

/** @throws {HttpError} 401, 403, 404, 503 */
async function runOf(parts: ReportsParts, request: ApiRequest, params: PathParams): Promise<SuiteRun> {
  const repository = await repositoryOf(parts, request, params);
  const run = await fromRedis(request, () => parts.runs.find(params['run'] ?? ''));
  if (run?.repository.toLowerCase() !== repository.toLowerCase()) throw unknown('run', 'Run not found');
  return run;
}

/** @throws {HttpError} 401, 403, 404, 503 */
async function repositoryOf(
  parts: ReportsParts,
  request: ApiRequest,
  params: PathParams,
): Promise<SuiteRun['repository']> {
  await parts.callers.callerOf(request.headers, request.signal);
  const repository = `${params['owner']}/${params['repo']}`;
  if (!isAllowedRepository(parts.repositories, repository)) throw unknown('repo', 'Repository not found');
  return repository;
}

const unknown = (param: string, msg: string): HttpError =>
  new HttpError(404, { type: `unknown_${param}`, msg, loc: ['path', param] });

async function fromRedis<T>(request: ApiRequest, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    request.log.warn({ err: error }, 'runs not read: Redis did not answer');
    throw unavailable('The reports are not available, please try again');
  }
}
