import { etagOf, isKnown, revalidated } from '../../lib/http/etag.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError } from '../../lib/http/http-error.ts';
import { retryAfter } from '../../lib/http/retry-after.ts';
import { callerOf, fromRedis, jobOf, type StatusParts } from './own-job.ts';

/** `GET /v1/notebooks/{job_id}/ipynb`: the executed notebook itself, or as far as it came, as a file. */
export async function download(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const found = await jobOf(parts, request, await callerOf(parts, request), jobId, 'read');
  const resultId = found.outcome?.result_id;
  if (resultId === undefined) throw noNotebook(retryAfter(found));
  const etag = etagOf([jobId, resultId]);
  if (isKnown(request, etag)) return { status: 304, headers: revalidated(etag) };
  const content = await fromRedis(request, () => parts.store.getResult(jobId, resultId));
  if (content === undefined) throw noNotebook({});
  return {
    status: 200,
    headers: {
      ...revalidated(etag),
      // A job's id is made of letters, digits and hyphens.
      'Content-Disposition': `attachment; filename="${jobId}.ipynb"`,
      // A browser that shows it all the same is to run nothing of it.
      'Content-Security-Policy': "sandbox; default-src 'none'",
    },
    body: { type: 'application/x-ipynb+json', content },
  };
}

const noNotebook = (headers: Record<string, string>): HttpError => {
  const isEarly = 'Retry-After' in headers;
  const msg = isEarly ? 'The job has not ended: there is no notebook yet' : 'The job has no notebook';
  return new HttpError(404, { type: 'no_notebook', msg, loc: ['path', 'job_id'] }, headers);
};
