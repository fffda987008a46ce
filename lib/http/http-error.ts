import type { z } from 'zod';

/** One entry of FastAPI's error form, which Noteburst v1 clients know. */
export interface ErrorDetail {
  type: string;
  msg: string;
  loc?: (string | number)[];
}

/** An answer to the caller that is not the asked-for one; everything else that is thrown is a fault of ours. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly detail: ErrorDetail[];
  readonly headers: Record<string, string>;

  constructor(status: number, detail: ErrorDetail | ErrorDetail[], headers: Record<string, string> = {}) {
    const details = Array.isArray(detail) ? detail : [detail];
    super(details.map(({ msg }) => msg).join('; '));
    this.status = status;
    this.detail = details;
    this.headers = headers;
  }
}

export const unknownJob = (): HttpError =>
  new HttpError(404, { type: 'unknown_job', msg: 'Job not found', loc: ['path', 'job_id'] });

/** Redis (or what else is needed to keep a promise) is away: nothing was accepted, the caller may try again. */
export const unavailable = (msg: string): HttpError =>
  new HttpError(503, { type: 'service_unavailable', msg }, { 'Retry-After': '5' });

/**
 * Turns what zod found into FastAPI's 422, one entry for each wrong field, without repeating the input.
 *
 * @param error of a parse with `reportInput`, which tells a missing field from a wrong one
 */
export function unprocessable(place: 'body' | 'query', error: z.ZodError): HttpError {
  return new HttpError(
    422,
    error.issues.map((issue) => {
      const missing = issue.code !== 'custom' && 'input' in issue && issue.input === undefined;
      return {
        type: missing ? 'missing' : pydanticType(issue),
        loc: [place, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))],
        msg: missing ? 'Field required' : messageOf(issue),
      };
    }),
  );
}

function messageOf(issue: z.core.$ZodIssue): string {
  // A union's own message says nothing, and each of its members says a part.
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input')
    return 'Input should be a valid boolean';
  return issue.message;
}

function pydanticType(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `${issue.expected}_type`;
    case 'invalid_union':
      return issue.message === 'Invalid input' ? 'bool_parsing' : 'type_error';
    case 'too_big':
    case 'too_small':
      return issue.code;
    default:
      return 'value_error';
  }
}
