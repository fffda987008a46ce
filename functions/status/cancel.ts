import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { unknownJob } from '../../lib/http/http-error.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import { retryAfter } from '../../lib/http/retry-after.ts';
import { withBodies } from './job.ts';
import { callerOf, fromRedis, jobOf, type StatusParts } from './own-job.ts';

/**
 * `DELETE /v1/notebooks/{job_id}`: answers 200 when the job has ended, before or with this, and 202 while its
 * executor is about to end it.
 */
export async function cancel(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const found = await jobOf(parts, request, await callerOf(parts, request), jobId, 'own');
  if (found.state === 'ended') {
    const { json } = await withBodies(parts, request, found, { source: false, result: true });
    return { status: 200, json };
  }
  const answer = await fromRedis(request, () => parts.live.cancel(found));
  request.log.info({ job_id: jobId, answer }, 'job cancelled');
  const now = await fromRedis(request, () => parts.queue.find(jobId));
  if (!now) throw unknownJob();
  const json = notebookResponse(now, parts.apiUrl, true);
  return { status: now.state === 'ended' ? 200 : 202, headers: retryAfter(now), json };
}
