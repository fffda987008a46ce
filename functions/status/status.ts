import type { ApiHandler, ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { serviceMetadata } from '../../lib/http/metadata.ts';
import { routed, type Route } from '../../lib/http/routes.ts';
import { cancel } from './cancel.ts';
import { docsRoutes } from './docs/routes.ts';
import { download } from './download.ts';
import { events } from './events.ts';
import { job } from './job.ts';
import type { StatusParts } from './own-job.ts';
import * as pages from './pages/pages.ts';

type OfJob = (parts: StatusParts, request: ApiRequest, jobId: string) => Promise<ApiReply>;

/** Everything that can be asked of jobs, and what the service says of itself at its root. */
export function statusRoutes(parts: StatusParts): Route[] {
  const of = (path: string, method: Route['method'], handle: Route['handle']): Route => ({
    method,
    path: `${parts.pathPrefix}${path}`,
    handle,
  });
  const ofJob = (method: Route['method'], below: string, handle: OfJob): Route =>
    of(`/v1/notebooks/{job_id}${below}`, method, (request, { job_id = '' }) =>
      handle(parts, request, job_id),
    );
  return [
    ofJob('GET', '', (...asked) => (pages.prefersHtml(asked[1]) ? pages.job(...asked) : job(...asked))),
    ofJob('GET', '/view', pages.view),
    ofJob('DELETE', '', cancel),
    ofJob('GET', '/events', events),
    ofJob('GET', '/ipynb', download),
    ...docsRoutes(parts),
    of('/', 'GET', async (request) =>
      pages.prefersHtml(request)
        ? pages.home(parts, request)
        : { status: 200, headers: { Vary: 'Accept' }, json: { metadata: serviceMetadata } },
    ),
    { method: 'GET', path: '/', handle: async () => ({ status: 200, json: serviceMetadata }) },
  ];
}

export const statusHandler = (parts: StatusParts): ApiHandler =>
  pages.withErrorPages(routed(statusRoutes(parts)), parts);
