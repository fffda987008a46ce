import { isJobId } from '../../lib/contract/nbexec-job.ts';
import { getNotebookQuery, type GetNotebookQuery } from '../../lib/contract/notebooks-api.ts';
import type { Caller, CallerCheck } from '../../lib/http/caller.ts';
import { eventStream, FROM_START, idBefore, isEventId } from '../../lib/http/event-stream.ts';
import type { ApiHandler, ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable, unknownJob, unprocessable } from '../../lib/http/http-error.ts';
import { serviceMetadata } from '../../lib/http/metadata.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import { EndWait, preferenceApplied } from '../../lib/http/prefer.ts';
import { retryAfter } from '../../lib/http/retry-after.ts';
import type { LiveParts } from '../../lib/http/run-function.ts';
import type { JobSnapshot, NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';

export interface StatusParts {
  callers: CallerCheck;
  queue: Pick<NbexecQueue, 'find'>;
  store: Pick<ResultStore, 'getSource' | 'getResult'>;
  live: LiveParts;
  queueName: string;
  pathPrefix: string;
  apiUrl: string;
  streamHeartbeatMs: number;
  streamMaxMs: number;
}

const EVENTS = '/events';

/**
 * Jobs: `GET` and `DELETE /v1/notebooks/{job_id}`, `GET /v1/notebooks/{job_id}/events`, and what the service says of
 * itself at its root.
 */
export function statusHandler(parts: StatusParts): ApiHandler {
  const jobs = `${parts.pathPrefix}/v1/notebooks/`;
  return async (request) => {
    const path = request.path;
    if (path.startsWith(jobs)) {
      const id = path.slice(jobs.length);
      if (id.endsWith(EVENTS)) {
        return byMethod(request, { GET: () => events(parts, request, id.slice(0, -EVENTS.length)) });
      }
      return byMethod(request, {
        GET: () => job(parts, request, id),
        DELETE: () => cancel(parts, request, id),
      });
    }
    const root = path.replace(/\/$/, '');
    if (root === '') return byMethod(request, { GET: async () => ({ status: 200, json: serviceMetadata }) });
    if (root === parts.pathPrefix) {
      return byMethod(request, { GET: async () => ({ status: 200, json: { metadata: serviceMetadata } }) });
    }
    throw new HttpError(404, { type: 'not_found', msg: 'Not Found' });
  };
}

async function byMethod(
  request: ApiRequest,
  replies: Record<string, () => Promise<ApiReply>>,
): Promise<ApiReply> {
  const reply = replies[request.method === 'HEAD' ? 'GET' : request.method];
  if (reply) return reply();
  const headers = { Allow: Object.keys(replies).join(', ') };
  throw new HttpError(405, { type: 'method_not_allowed', msg: 'Method Not Allowed' }, headers);
}

/** The caller's own job. Another's does not exist for this caller: a 403 would tell that it does. */
async function jobOf(
  parts: StatusParts,
  request: ApiRequest,
  caller: Caller,
  jobId: string,
): Promise<JobSnapshot> {
  if (!isJobId(jobId, parts.queueName)) throw unknownJob();
  const found = await fromRedis(request, () => parts.queue.find(jobId));
  if (!found || found.data.owner !== caller.username) throw unknownJob();
  return found;
}

async function job(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  // First of all, so that strangers are told nothing.
  const caller = await parts.callers.callerOf(request.headers, request.signal);
  const query = getNotebookQuery.safeParse(Object.fromEntries(request.query));
  if (!query.success) throw unprocessable('query', query.error);
  let found: JobSnapshot | undefined = await jobOf(parts, request, caller, jobId);
  let headers = {};
  if (found.state !== 'ended') {
    using wait = EndWait.begin(request, parts.live.watch, jobId);
    if (wait) {
      found = await fromRedis(request, () => wait.ended(parts.queue, jobId));
      headers = preferenceApplied(wait.waitSeconds);
    }
  }
  if (!found) throw unknownJob();
  return replyWith(parts, request, found, query.data, headers);
}

async function replyWith(
  parts: StatusParts,
  request: ApiRequest,
  found: JobSnapshot,
  query: GetNotebookQuery,
  headers: Record<string, string>,
): Promise<ApiReply> {
  const bodies = await fromRedis(request, () => readBodies(parts.store, found, query));
  const json = notebookResponse(found, parts.apiUrl, query.result, bodies);
  return { status: 200, headers: { ...headers, ...retryAfter(found) }, json };
}

/** Answers 200 when the job has ended, before or with this, and 202 while its executor is about to end it. */
async function cancel(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const caller = await parts.callers.callerOf(request.headers, request.signal);
  const found = await jobOf(parts, request, caller, jobId);
  if (found.state === 'ended') return replyWith(parts, request, found, { source: false, result: true }, {});
  const answer = await fromRedis(request, () => parts.live.cancel(found));
  request.log.info({ job_id: jobId, answer }, 'job cancelled');
  const now = await fromRedis(request, () => parts.queue.find(jobId));
  if (!now) throw unknownJob();
  const json = notebookResponse(now, parts.apiUrl, true);
  return { status: now.state === 'ended' ? 200 : 202, headers: retryAfter(now), json };
}

async function events(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const { live } = parts;
  const caller = await parts.callers.callerOf(request.headers, request.signal);
  const found = await jobOf(parts, request, caller, jobId);
  const afterId = String(request.headers['last-event-id'] ?? '') || FROM_START;
  if (!isEventId(afterId)) {
    const msg = 'Input should be the id of an event';
    throw new HttpError(422, { type: 'value_error', loc: ['header', 'last-event-id'], msg });
  }
  const read = (id: string) => fromRedis(request, () => live.events(jobId, id));
  // A browser comes again after every end, and is to be told that there is no more.
  if (found.state === 'ended' && afterId !== FROM_START) {
    const [last] = (await read(idBefore(afterId))).events;
    if (!last || (last.id === afterId && last.event.type === 'job_ended')) return { status: 204 };
  }
  const watcher = live.watch.watch(jobId);
  if (!watcher) throw unavailable('Too many watch jobs now, please try again');
  // The stream leaves at its end, but it may never be begun.
  const leave = () => watcher[Symbol.dispose]();
  request.signal.addEventListener('abort', leave, { once: true });
  if (request.signal.aborted) leave();
  const stream = eventStream({
    watcher,
    afterId,
    read,
    find: () => fromRedis(request, () => parts.queue.find(jobId)),
    signal: request.signal,
    heartbeatMs: parts.streamHeartbeatMs,
    maxAgeMs: parts.streamMaxMs,
  });
  return {
    status: 200,
    headers: { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' },
    stream,
  };
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
