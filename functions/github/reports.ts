/** What came of suites, for who may run notebooks on the platform. */
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { isAllowedRepository, type GithubRepositories } from '../../lib/config/github-env.ts';
import { asksFor } from '../../lib/http/accept.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable } from '../../lib/http/http-error.ts';
import type { PathParams } from '../../lib/http/routes.ts';
import type { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { runsPage } from './runs-page.ts';

export interface ReportsParts {
  callers: CallerCheck;
  repositories: GithubRepositories;
  runs: Pick<SuiteRuns, 'find' | 'list' | 'document'>;
  /** Where callers find them. */
  reportsUrl: string;
}

const HTML = 'text/html';

/** What a report may do is in the report itself, as it is opened as a file, too: here it may not even be framed. */
const REPORT_HEADERS = {
  'Content-Security-Policy':
    "frame-ancestors 'none'; sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox",
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept',
};

/** `GET /github/{owner}/{repo}`: the last runs, newest first. */
export async function list(parts: ReportsParts, request: ApiRequest, params: PathParams): Promise<ApiReply> {
  const repository = await repositoryOf(parts, request, params);
  const runs = await fromRedis(request, () => parts.runs.list(repository));
  const below = `${parts.reportsUrl}/${repository}`;
  if (asksFor(request, HTML)) return runsPage(repository, runs, below);
  const told = runs.map((run) => ({ ...run, url: `${below}/${run.id}` }));
  return { status: 200, headers: { Vary: 'Accept' }, json: { repository, runs: told } };
}

/** `GET /github/{owner}/{repo}/{run}`: the report, as a page or as JSON. */
export async function report(
  parts: ReportsParts,
  request: ApiRequest,
  params: PathParams,
): Promise<ApiReply> {
  const repository = await repositoryOf(parts, request, params);
  const run = await fromRedis(request, () => parts.runs.find(params['run'] ?? ''));
  if (run?.repository.toLowerCase() !== repository.toLowerCase()) throw unknown('run', 'Run not found');
  if (!asksFor(request, HTML)) {
    const text = await fromRedis(request, () => parts.runs.document(run.id, 'report'));
    const report: unknown = text === undefined ? undefined : JSON.parse(text);
    return { status: 200, headers: { Vary: 'Accept' }, json: { ...run, ...(report ? { report } : {}) } };
  }
  const content = await fromRedis(request, () => parts.runs.document(run.id, 'page'));
  if (content === undefined) return runsPage(repository, [run], `${parts.reportsUrl}/${repository}`);
  return { status: 200, headers: REPORT_HEADERS, body: { type: 'text/html; charset=utf-8', content } };
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
