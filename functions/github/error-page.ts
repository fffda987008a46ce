import { STATUS_CODES } from 'node:http';
import { markup } from '../../lib/html/markup.ts';
import { asksFor } from '../../lib/http/accept.ts';
import { errorReply } from '../../lib/http/error-reply.ts';
import type { ApiHandler, ApiReply } from '../../lib/http/handler.ts';
import type { ErrorDetail } from '../../lib/http/http-error.ts';
import { KEPT_DAYS } from '../../lib/queue/suite-runs.ts';
import { page } from './page.ts';

/** What can be done about it, where that is known. */
const ADVICE: Record<number, string> = {
  401: 'Log in to the science platform, and come back.',
  403: 'Ask for the permission to run notebooks.',
  404: `What came of a run can be seen for ${KEPT_DAYS} days, and as long as it is among the last ones of its repository. Is the address complete?`,
  503: 'Please load this page again in a few seconds.',
};

/** Answers people whose requests fail with a page. */
export function withErrorPages(handler: ApiHandler, pathPrefix: string): ApiHandler {
  return async (request) => {
    try {
      return await handler(request);
    } catch (error) {
      if (!asksFor(request, 'text/html')) throw error;
      const reply = errorReply(error, request, request.path, request.log);
      return reply.json === undefined ? reply : errorPage(reply, pathPrefix);
    }
  };
}

function errorPage({ status, headers = {}, json }: ApiReply, pathPrefix: string): ApiReply {
  const title = STATUS_CODES[status] ?? 'Error';
  const { detail } = json as { detail: ErrorDetail[] };
  const main = markup`<h1>${title}<small>${status}</small></h1>
${detail.map(({ msg }) => markup`<p>${msg}</p>`)}
${ADVICE[status] && markup`<p>${ADVICE[status]}</p>`}`;
  return page({ status, title, pathPrefix, main, headers });
}
