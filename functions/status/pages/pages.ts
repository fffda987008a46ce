/**
 * What people are shown. Everything that makes HTML is loaded with the first page, so that those who ask for JSON, and
 * a function that has just been started for them, do without it.
 */
import { preferredType } from '../../../lib/http/accept.ts';
import { errorReply } from '../../../lib/http/error-reply.ts';
import type { ApiHandler, ApiReply, ApiRequest } from '../../../lib/http/handler.ts';
import type { ErrorDetail } from '../../../lib/http/http-error.ts';
import { notebookResponse } from '../../../lib/http/notebook-response.ts';
import { retryAfter } from '../../../lib/http/retry-after.ts';
import { callerOf, fromRedis, jobOf, type StatusParts } from '../own-job.ts';

/** Whether a browser asks, not a program: those that do not care have JSON. */
export const prefersHtml = (request: ApiRequest): boolean =>
  preferredType(request, ['application/json', 'text/html']) === 'text/html';

const RECENT_JOBS = 20;

export async function home(parts: StatusParts, request: ApiRequest): Promise<ApiReply> {
  const { username } = await callerOf(parts, request);
  const { jobs } = await fromRedis(request, () => parts.queue.listOwn(username, RECENT_JOBS));
  const { homePage } = await import('./home-page.ts');
  return homePage(
    jobs.map((job) => notebookResponse(job, parts.apiUrl, true)),
    parts.pathPrefix,
  );
}

export async function job(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const { username } = await callerOf(parts, request);
  const found = await jobOf(parts, request, { username }, jobId, 'read');
  const { jobPage } = await import('./job-page.ts');
  return jobPage({
    job: notebookResponse(found, parts.apiUrl, true),
    pathPrefix: parts.pathPrefix,
    isOwner: found.data.owner === username,
    hasNotebook: found.outcome?.result_id !== undefined,
    startsInSeconds: found.startsInSeconds,
    nowMs: Date.now(),
    headers: retryAfter(found),
  });
}

export async function view(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const module = await import('./view.ts');
  return module.view(parts, request, jobId);
}

/** Answers people whose requests fail with a page. */
export function withErrorPages(handler: ApiHandler, { pathPrefix }: StatusParts): ApiHandler {
  return async (request) => {
    try {
      return await handler(request);
    } catch (error) {
      if (!prefersHtml(request)) throw error;
      const reply = errorReply(error, request, request.path, request.log);
      if (reply.json === undefined) return reply;
      const { errorPage } = await import('./error-page.ts');
      const { detail } = reply.json as { detail: ErrorDetail[] };
      return errorPage(reply.status, detail, reply.headers ?? {}, pathPrefix);
    }
  };
}
