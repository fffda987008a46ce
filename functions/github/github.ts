import type { ApiHandler } from '../../lib/http/handler.ts';
import { routed } from '../../lib/http/routes.ts';
import { MAX_NOTEBOOK_BYTES } from '../../lib/queue/suite-runs.ts';
import { withErrorPages } from './error-page.ts';
import { HeldAnswers } from './held-answers.ts';
import { list, notebook, report, type ReportsParts } from './reports.ts';
import { scheduled, type ScheduledParts } from './scheduled.ts';
import { webhook, type WebhookParts } from './webhook.ts';

export type GithubParts = WebhookParts & ScheduledParts & Omit<ReportsParts, 'answers'>;

/** With those of bodies, and what a process takes by itself, these fit into the memory that the manifests give. */
export const MAX_ANSWERS_BYTES = 2 * MAX_NOTEBOOK_BYTES;

/** What GitHub tells, what the clock tells, and what came of both. */
export function githubHandler(parts: GithubParts): ApiHandler {
  const reports = { ...parts, answers: new HeldAnswers(MAX_ANSWERS_BYTES) };
  const path = `${parts.pathPrefix}/github`;
  const routes = routed([
    { method: 'POST', path: `${path}/webhook`, handle: (request) => webhook(parts, request) },
    { method: 'POST', path: `${path}/scheduled`, handle: (request) => scheduled(parts, request) },
    {
      method: 'GET',
      path: `${path}/{owner}/{repo}`,
      handle: (request, params) => list(reports, request, params),
    },
    {
      method: 'GET',
      path: `${path}/{owner}/{repo}/{run}`,
      handle: (request, params) => report(reports, request, params),
    },
    {
      method: 'GET',
      path: `${path}/{owner}/{repo}/{run}/notebooks/{file}`,
      handle: (request, params) => notebook(reports, request, params),
    },
  ]);
  return withErrorPages(routes, parts.pathPrefix);
}
