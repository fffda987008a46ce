import type { NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { newJobId } from '../../lib/contract/nbexec-job.ts';
import { parseBoundedJson } from '../../lib/contract/json.ts';
import { postNotebookRequest, type PostNotebookRequest } from '../../lib/contract/notebooks-api.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiHandler, ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable, unprocessable } from '../../lib/http/http-error.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import type { NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';

export interface SubmitParts {
  callers: CallerCheck;
  queue: Pick<NbexecQueue, 'add'>;
  store: Pick<ResultStore, 'putSource'>;
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
  };
  let enqueuedAtMs: number;
  try {
    // In this order: a job on the queue can be fetched at once, and must find its notebook.
    await parts.store.putSource(id, body.ipynb, parts.sourceTtlSeconds);
    enqueuedAtMs = await parts.queue.add(id, data);
  } catch (error) {
    request.log.warn({ err: error, job_id: id }, 'job not accepted: Redis did not confirm it');
    throw unavailable('The queue is not available, the notebook was not accepted: please submit it again');
  }
  request.log.info({ job_id: id, owner, kernel_name: body.kernel_name }, 'job accepted');
  const response = notebookResponse({ id, data, state: 'waiting', enqueuedAtMs }, parts.apiUrl, false);
  return { status: 202, headers: { Location: response.self_url }, json: response };
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
