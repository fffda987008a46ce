import { isJobId } from '../../lib/contract/nbexec-job.ts';
import { getNotebookQuery, type GetNotebookQuery } from '../../lib/contract/notebooks-api.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiHandler, ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable, unknownJob, unprocessable } from '../../lib/http/http-error.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import type { JobSnapshot, NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import { serviceMetadata } from '../../lib/http/metadata.ts';

export interface StatusParts {
  callers: CallerCheck;
  queue: Pick<NbexecQueue, 'find'>;
  store: Pick<ResultStore, 'getSource' | 'getResult'>;
  queueName: string;
  pathPrefix: string;
  apiUrl: string;
}

/** Reads jobs: `GET /v1/notebooks/{job_id}`, and what the service says of itself at its root. */
export function statusHandler(parts: StatusParts): ApiHandler {
  const jobs = `${parts.pathPrefix}/v1/notebooks/`;
  return async (request) => {
    const path = request.path;
    if (path.startsWith(jobs)) return onlyGet(request, () => job(parts, request, path.slice(jobs.length)));
    const root = path.replace(/\/$/, '');
    if (root === '') return onlyGet(request, async () => ({ status: 200, json: serviceMetadata }));
    if (root === parts.pathPrefix) {
      return onlyGet(request, async () => ({ status: 200, json: { metadata: serviceMetadata } }));
    }
    throw new HttpError(404, { type: 'not_found', msg: 'Not Found' });
  };
}

async function onlyGet(request: ApiRequest, reply: () => Promise<ApiReply>): Promise<ApiReply> {
  if (request.method === 'GET' || request.method === 'HEAD') return reply();
  throw new HttpError(405, { type: 'method_not_allowed', msg: 'Method Not Allowed' }, { Allow: 'GET' });
}

async function job(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const caller = await parts.callers.callerOf(request.headers, request.signal);
  const query = getNotebookQuery.safeParse(Object.fromEntries(request.query));
  if (!query.success) throw unprocessable('query', query.error);
  if (!isJobId(jobId, parts.queueName)) throw unknownJob();
  const found = await fromRedis(request, () => parts.queue.find(jobId));
  // Another's job does not exist for this caller: a 403 would tell that it does.
  if (!found || found.data.owner !== caller.username) throw unknownJob();
  const bodies = await fromRedis(request, () => readBodies(parts.store, found, query.data));
  return { status: 200, json: notebookResponse(found, parts.apiUrl, query.data.result, bodies) };
}

async function readBodies(store: StatusParts['store'], found: JobSnapshot, query: GetNotebookQuery) {
  const resultId = query.result ? found.outcome?.result_id : undefined;
  const [source, result] = await Promise.all([
    query.source ? store.getSource(found.id) : undefined,
    resultId ? store.getResult(found.id, resultId) : undefined,
  ]);
  return { source, result };
}

async function fromRedis<T>(request: ApiRequest, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    request.log.warn({ err: error }, 'job not read: Redis did not answer');
    throw unavailable('The queue is not available, please try again');
  }
}
