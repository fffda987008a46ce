import { STATUS_CODES } from 'node:http';
import type { ApiReply } from '../../../lib/http/handler.ts';
import type { ErrorDetail } from '../../../lib/http/http-error.ts';
import { markup } from '../../../lib/html/markup.ts';
import { page } from './page.ts';

/** What can be done about it, where that is known. */
const ADVICE: Record<number, string> = {
  401: 'Log in to the science platform, and come back.',
  403: 'Ask for the permission to run notebooks, or for the right token.',
  404: 'Results are kept for a while only, and everyone sees their own jobs. Is the address complete?',
  503: 'Please load this page again in a few seconds.',
};

/** The answer to a person whose request failed. */
export function errorPage(
  status: number,
  details: readonly ErrorDetail[],
  headers: Record<string, string>,
  pathPrefix: string,
): ApiReply {
  const title = STATUS_CODES[status] ?? 'Error';
  const main = markup`<h1>${title}<small>${status}</small></h1>
    ${details.map(({ msg }) => markup`<p>${msg}</p>`)} ${ADVICE[status] && markup`<p>${ADVICE[status]}</p>`}
    <p><a href="${pathPrefix}/">To your jobs</a></p>`;
  return page({ status, title: `${title} · Noteburst`, home: `${pathPrefix}/`, main, headers });
}
