import {
  getNotebookQuery,
  type GetNotebookQuery,
  type NotebookResponse,
} from '../../lib/contract/notebooks-api.ts';
import { etagOf, isKnown, revalidated } from '../../lib/http/etag.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { unknownJob, unprocessable } from '../../lib/http/http-error.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import { EndWait, preferenceApplied } from '../../lib/http/prefer.ts';
import { retryAfter } from '../../lib/http/retry-after.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { callerOf, fromRedis, jobOf, type StatusParts } from './own-job.ts';

/** `GET /v1/notebooks/{job_id}`: the job as it is, or, with `Prefer: wait`, at its end. */
export async function job(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const caller = await callerOf(parts, request);
  const query = getNotebookQuery.safeParse(Object.fromEntries(request.query));
  if (!query.success) throw unprocessable('query', query.error);
  let found: JobSnapshot | undefined = await jobOf(parts, request, caller, jobId, 'read');
  let applied = {};
  if (found.state !== 'ended') {
    using wait = EndWait.begin(request, parts.live.watch, jobId);
    if (wait) {
      found = await fromRedis(request, () => wait.ended(parts.queue, jobId));
      applied = preferenceApplied(wait.waitSeconds);
    }
  }
  if (!found) throw unknownJob();
  const headers = { ...applied, ...retryAfter(found) };
  const etag = etagOfJob(parts, found, query.data);
  // Before the notebooks are read: most who ask again have them.
  if (isKnown(request, etag)) return { status: 304, headers: { ...headers, ...revalidated(etag) } };
  const { json, isWhole } = await withBodies(parts, request, found, query.data);
  return { status: 200, headers: { ...headers, ...(isWhole ? revalidated(etag) : {}) }, json };
}

/** The notebooks are stood for by their names: each is written once. */
const etagOfJob = ({ apiUrl }: StatusParts, found: JobSnapshot, query: GetNotebookQuery): string =>
  etagOf([notebookResponse(found, apiUrl, query.result), found.outcome?.result_id, query]);

/** The job with its notebooks. `isWhole`: none of them has expired meanwhile. */
export async function withBodies(
  { store, apiUrl }: StatusParts,
  request: ApiRequest,
  found: JobSnapshot,
  query: GetNotebookQuery,
): Promise<{ json: NotebookResponse; isWhole: boolean }> {
  const resultId = query.result ? found.outcome?.result_id : undefined;
  const [source, result] = await fromRedis(request, () =>
    Promise.all([
      query.source ? store.getSource(found.id) : undefined,
      resultId ? store.getResult(found.id, resultId) : undefined,
    ]),
  );
  const json = notebookResponse(found, apiUrl, query.result, { source, result });
  const isWhole = !(query.source && source === undefined) && !(resultId && result === undefined);
  return { json, isWhole };
}
