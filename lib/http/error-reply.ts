import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import type { Logger } from '../logger.ts';
import { asksFor } from './accept.ts';
import type { ApiReply } from './handler.ts';
import { HttpError } from './http-error.ts';

const PROBLEM = 'application/problem+json';

/**
 * What a failed request is answered with: FastAPI's form, which Noteburst v1 clients know, or RFC 9457's for those who
 * ask for it by name.
 *
 * @param path as it was sent, without its query
 */
export function errorReply(
  error: unknown,
  request: { headers: IncomingHttpHeaders },
  path: string,
  log: Logger,
): ApiReply {
  const { status, headers, detail, message } = error instanceof HttpError ? error : fault(error, log);
  if (!asksFor(request, PROBLEM)) return { status, headers, json: { detail } };
  // What kind of problem it is, the entries tell: there may be several.
  const type = 'about:blank';
  const title = STATUS_CODES[status];
  const problem = { type, title, status, detail: message, instance: path, errors: detail };
  return { status, headers, body: { type: PROBLEM, content: JSON.stringify(problem) } };
}

function fault(error: unknown, log: Logger): HttpError {
  log.error({ err: error }, 'request failed');
  return new HttpError(500, { type: 'internal_error', msg: 'Internal server error' });
}
