import type { ApiHandler, ApiReply, ApiRequest } from './handler.ts';
import { HttpError } from './http-error.ts';

/** What the braces of a route's path stand for, as it was sent. */
export type PathParams = Record<string, string>;

export interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  /** As in OpenAPI, for example /noteburst/v1/notebooks/{job_id}; a slash at its end is optional. */
  path: string;
  handle: (request: ApiRequest, params: PathParams) => Promise<ApiReply>;
}

const PARAMETER = /\{(\w+)\}/g;

/**
 * Finds the route of a request. A HEAD is answered as a GET is.
 *
 * @throws {HttpError} 404 for an unknown path, 405 for a known one's other methods, 403 for a change that another
 *   site's page asks for
 */
export function routed(routes: readonly Route[]): ApiHandler {
  const known = routes.map((route) => ({ ...route, pattern: patternOf(route.path) }));
  return async (request) => {
    const found = known.flatMap(({ pattern, method, handle }) => {
      const match = pattern.exec(request.path);
      return match ? [{ method, handle, params: { ...match.groups } }] : [];
    });
    if (found.length === 0) throw new HttpError(404, { type: 'not_found', msg: 'Not Found' });
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = found.find((candidate) => candidate.method === method);
    if (route && route.method !== 'GET') assertOwnSite(request);
    if (route) return route.handle(request, route.params);
    const headers = { Allow: found.map((candidate) => candidate.method).join(', ') };
    throw new HttpError(405, { type: 'method_not_allowed', msg: 'Method Not Allowed' }, headers);
  };
}

/** Browsers say where a request comes from. Labs serve their users' pages below the platform's own domain. */
function assertOwnSite({ headers }: ApiRequest): void {
  if (['same-origin', 'none'].includes(headers['sec-fetch-site'] ?? 'none')) return;
  throw new HttpError(403, { type: 'cross_site', msg: 'Pages of other sites may change nothing' });
}

function patternOf(path: string): RegExp {
  const escaped = path.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replace(/\/$/, '/?').replaceAll(PARAMETER, '(?<$1>[^/]+)')}$`);
}
