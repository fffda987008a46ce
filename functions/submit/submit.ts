import type { NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { newJobId } from '../../lib/contract/nbexec-job.ts';
import { parseBoundedJson } from '../../lib/contract/json.ts';
import { postNotebookRequest, type PostNotebookRequest } from '../../lib/contract/notebooks-api.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiHandler, ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable, unprocessable } from '../../lib/http/http-error.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import { EndWait, preferenceApplied } from '../../lib/http/prefer.ts';
import { retryAfter } from '../../lib/http/retry-after.ts';
import type { LiveParts } from '../../lib/http/run-function.ts';
import { QueueFullError, TooManyJobsError, type Admission } from '../../lib/queue/admission.ts';
import type { JobSnapshot, NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import { isRefusedByRedis } from '../../lib/queue/redis.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';

export interface SubmitParts {
  callers: CallerCheck;
  admission: Pick<Admission, 'admit'>;
  queue: Pick<NbexecQueue, 'add' | 'find'>;
  store: Pick<ResultStore, 'putSource' | 'deleteSource' | 'getResult'>;
  live: Pick<LiveParts, 'watch'>;
  queueName: string;
  pathPrefix: string;
  apiUrl: string;
  maxTimeoutSeconds: number;
  sourceTtlSeconds: number;
}

/** `POST /v1/notebooks/`: checks the notebook, keeps it, puts its job on the queue. */
export function submitHandler(parts: SubmitParts): ApiHandler {
  const schema = postNotebookRequest(parts.maxTimeoutSeconds);
  const route = `${parts.pathPrefix}/v1/notebooks`;
  return async (request) => {
    if (request.path.replace(/\/$/, '') !== route) {
      throw new HttpError(404, { type: 'not_found', msg: 'Not Found' });
    }
    if (request.method !== 'POST') {
      throw new HttpError(405, { type: 'method_not_allowed', msg: 'Method Not Allowed' }, { Allow: 'POST' });
    }
    const caller = await parts.callers.callerOf(request.headers, request.signal);
    const parsed = schema.safeParse(jsonBody(request), { reportInput: true });
    if (!parsed.success) throw unprocessable('body', parsed.error);
    return accept(parts, request, caller.username, parsed.data);
  };
}

async function accept(
  parts: SubmitParts,
  request: ApiRequest,
  owner: string,
  body: PostNotebookRequest,
): Promise<ApiReply> {
  const id = newJobId(parts.queueName);
  const data: NbexecJobData = {
    version: 1,
    owner,
    kernel_name: body.kernel_name,
    timeout_seconds: body.timeout,
    enable_retry: body.enable_retry,
    ...(body.parameters === undefined ? {} : { parameters: body.parameters }),
    ...(body.cell_timeout === undefined ? {} : { cell_timeout_seconds: body.cell_timeout }),
    ...(body.priority === undefined ? {} : { priority: body.priority }),
  };
  // Before the job is there, so that its end cannot be missed.
  using wait = EndWait.begin(request, parts.live.watch, id);
  let mayHaveEnded = true;
  let added: Awaited<ReturnType<NbexecQueue['add']>>;
  try {
    await parts.admission.admit(id, owner);
    // In this order: a job on the queue can be fetched at once, and must find its notebook.
    await parts.store.putSource(id, body.ipynb, parts.sourceTtlSeconds);
    mayHaveEnded = !wait?.isSubscribed;
    added = await parts.queue.add(id, data);
  } catch (error) {
    request.log.warn({ err: error, job_id: id, owner }, 'job not accepted');
    // Without an answer the job may be there, and it needs its notebook.
    if (isRefusedByRedis(error)) await parts.store.deleteSource(id).catch(() => undefined);
    throw notAccepted(error);
  }
  request.log.info({ job_id: id, owner, kernel_name: body.kernel_name }, 'job accepted');
  const accepted: JobSnapshot = { id, data, state: 'waiting', ...added };
  const waited = wait && (await afterWait(parts, request, wait, id, mayHaveEnded));
  const job = waited?.job ?? accepted;
  const response = notebookResponse(job, parts.apiUrl, true, { result: waited?.result });
  const headers = {
    Location: response.self_url,
    ...retryAfter(job),
    ...(wait ? preferenceApplied(wait.waitSeconds) : {}),
  };
  return { status: response.status === 'complete' ? 200 : 202, headers, json: response };
}

function notAccepted(error: unknown): HttpError {
  if (error instanceof TooManyJobsError) {
    const retry = { 'Retry-After': String(error.retryAfterSeconds) };
    return new HttpError(429, { type: 'too_many_jobs', msg: error.message }, retry);
  }
  const why = error instanceof QueueFullError ? 'full' : 'not available';
  return unavailable(`The queue is ${why}, the notebook was not accepted: please submit it again`);
}

/** The job when it has ended or its caller has waited enough. It is accepted, so that nothing may fail any more. */
async function afterWait(
  parts: SubmitParts,
  request: ApiRequest,
  wait: EndWait,
  id: string,
  mayHaveEnded: boolean,
): Promise<{ job: JobSnapshot | undefined; result: string | undefined } | undefined> {
  try {
    const job = await wait.ended(parts.queue, id, mayHaveEnded);
    const resultId = job?.outcome?.result_id;
    return { job, result: resultId ? await parts.store.getResult(id, resultId) : undefined };
  } catch (error) {
    request.log.warn({ err: error, job_id: id }, 'job accepted, but its end could not be waited for');
    return undefined;
  }
}

/** Only JSON by its content type: what a form of another site can send must not submit anything. */
function jsonBody(request: ApiRequest): unknown {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json' && !/^application\/[\w.-]+\+json$/.test(type)) {
    throw new HttpError(415, {
      type: 'unsupported_media_type',
      msg: 'The request should have Content-Type: application/json',
    });
  }
  try {
    return parseBoundedJson(request.body.toString('utf8'));
  } catch (error) {
    throw new HttpError(422, {
      type: 'json_invalid',
      loc: ['body'],
      msg: `JSON decode error: ${(error as Error).message}`,
    });
  }
}
