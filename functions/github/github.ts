import type { ApiHandler } from '../../lib/http/handler.ts';
import { routed } from '../../lib/http/routes.ts';
import { withErrorPages } from './error-page.ts';
import { list, notebook, report, type ReportsParts } from './reports.ts';
import { scheduled, type ScheduledParts } from './scheduled.ts';
import { webhook, type WebhookParts } from './webhook.ts';

export type GithubParts = WebhookParts & ScheduledParts & ReportsParts;

/** What GitHub tells, what the clock tells, and what came of both. */
export function githubHandler(parts: GithubParts): ApiHandler {
  const path = `${parts.pathPrefix}/github`;
  const routes = routed([
    { method: 'POST', path: `${path}/webhook`, handle: (request) => webhook(parts, request) },
    { method: 'POST', path: `${path}/scheduled`, handle: (request) => scheduled(parts, request) },
    {
      method: 'GET',
      path: `${path}/{owner}/{repo}`,
      handle: (request, params) => list(parts, request, params),
    },
    {
      method: 'GET',
      path: `${path}/{owner}/{repo}/{run}`,
      handle: (request, params) => report(parts, request, params),
    },
    {
      method: 'GET',
      path: `${path}/{owner}/{repo}/{run}/notebooks/{file}`,
      handle: (request, params) => notebook(parts, request, params),
    },
  ]);
  return withErrorPages(routes, parts.pathPrefix);
}
