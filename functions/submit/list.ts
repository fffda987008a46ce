import { listNotebooksQuery, type NotebookListResponse } from '../../lib/contract/notebooks-api.ts';
import { poolOf, type Pools } from '../../lib/contract/pool.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable, unprocessable } from '../../lib/http/http-error.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import type { OwnJobsCursor } from '../../lib/queue/own-jobs.ts';
import type { PoolQueues } from '../../lib/queue/pool-queues.ts';

export interface ListParts {
  callers: CallerCheck;
  queue: Pick<PoolQueues, 'listOwn'>;
  pools: Pools;
  apiUrl: string;
}

/** The caller's own jobs, newest first, a page at a time. */
export async function list(parts: ListParts, request: ApiRequest): Promise<ApiReply> {
  const caller = await parts.callers.callerOf(request.headers, request.signal);
  const query = listNotebooksQuery.safeParse(Object.fromEntries(request.query));
  if (!query.success) throw unprocessable('query', query.error);
  const { limit, cursor } = query.data;
  const after = cursor === undefined ? undefined : cursorOf(cursor, parts.pools);
  const { jobs, next } = await page(parts, request, caller.username, limit, after);
  const nextCursor = next && textOf(next);
  const json: NotebookListResponse = {
    jobs: jobs.map((job) => notebookResponse(job, parts.apiUrl, true)),
    ...(nextCursor && { next_cursor: nextCursor }),
  };
  const link = `<${parts.apiUrl}/notebooks/?limit=${limit}&cursor=${nextCursor}>; rel="next"`;
  return { status: 200, ...(nextCursor && { headers: { Link: link } }), json };
}

async function page(
  parts: ListParts,
  request: ApiRequest,
  owner: string,
  limit: number,
  after: OwnJobsCursor | undefined,
): ReturnType<PoolQueues['listOwn']> {
  try {
    return await parts.queue.listOwn(owner, limit, after);
  } catch (error) {
    request.log.warn({ err: error }, 'jobs not listed: Redis did not answer');
    throw unavailable('The queue is not available, please try again');
  }
}

/** Callers are to take it as it is, so that it may be another one day. */
const textOf = ({ enqueuedAtMs, jobId }: OwnJobsCursor): string =>
  Buffer.from(`${enqueuedAtMs} ${jobId}`).toString('base64url');

function cursorOf(text: string, pools: Pools): OwnJobsCursor {
  const [, ms = '', jobId = ''] = /^(\d{1,15}) (.+)$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (poolOf(pools, jobId)) return { enqueuedAtMs: Number(ms), jobId };
  const msg = 'Input should be the next_cursor of an earlier answer';
  throw new HttpError(422, { type: 'value_error', loc: ['query', 'cursor'], msg });
}
