/** What the operations of the OpenAPI document share: headers, errors, the token. */
import type { Pools } from './pool.ts';
import type { OpenApiDocument, Response } from './openapi-document.ts';
import { componentSchemas, schemaRef } from './openapi-schemas.ts';

const integer = { type: 'integer', minimum: 0 };
const text = { type: 'string' };

const headers = {
  Location: { description: "The job's URL: its `self_url`.", schema: { type: 'string', format: 'uri' } },
  'Retry-After': {
    description: 'After how many seconds it is worth to ask again; absent once the job has ended.',
    schema: integer,
  },
  'Preference-Applied': {
    description: 'That the answer was waited for, and how long at most: `wait=N`.',
    schema: text,
  },
  Link: { description: 'The next page, with `rel="next"`.', schema: text },
  ETag: { description: 'Names what is answered, for `If-None-Match`.', schema: text },
  'WWW-Authenticate': { description: 'How to say who calls.', schema: text },
  Allow: { description: 'The methods that this path has.', schema: text },
};
export type HeaderName = keyof typeof headers;

export const headerRefs = (...names: HeaderName[]): NonNullable<Response['headers']> =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

interface ErrorInfo {
  description: string;
  example: { type: string; msg: string; loc?: (string | number)[] };
  headers?: HeaderName[];
}

const errors: Record<string, ErrorInfo> = {
  BadRequest: {
    description:
      'The body is cut off, or not what its `Content-Encoding` says; or the ingress cannot read `Authorization`.',
    example: { type: 'body_unreadable', msg: 'The request body is cut off or not valid gzip' },
  },
  Unauthorized: {
    description: 'No token, or one that Gafaelfawr does not know.',
    example: { type: 'invalid_identity', msg: 'The delegated token is not valid for this user' },
    headers: ['WWW-Authenticate'],
  },
  Forbidden: {
    description: 'The token lacks the scope `exec:notebook`, or its user may not do this.',
    example: { type: 'permission_denied', msg: 'The token lacks the scope exec:notebook' },
  },
  NotFound: {
    description:
      "There is no such job, or it is not the caller's, or it ended longer ago than jobs are kept.",
    example: { type: 'unknown_job', msg: 'Job not found', loc: ['path', 'job_id'] },
    headers: ['Retry-After'],
  },
  MethodNotAllowed: {
    description: 'The path is known, but has no such method.',
    example: { type: 'method_not_allowed', msg: 'Method Not Allowed' },
    headers: ['Allow'],
  },
  Conflict: {
    description: 'The first request with this `Idempotency-Key` is still under way.',
    example: {
      type: 'idempotency_key_in_use',
      msg: 'A request with this idempotency key is under way',
      loc: ['header', 'Idempotency-Key'],
    },
    headers: ['Retry-After'],
  },
  LengthRequired: {
    description: 'The request does not say where its body ends.',
    example: { type: 'length_required', msg: 'The request should have a Content-Length' },
  },
  TooLarge: {
    description: 'The body is over 32 MB, before or after inflating.',
    example: { type: 'body_too_large', msg: 'The request body is over the limit of 33554432 bytes' },
  },
  UnsupportedMediaType: {
    description: 'The body is not JSON by its content type, or has an encoding other than gzip and deflate.',
    example: {
      type: 'unsupported_media_type',
      msg: 'The request should have Content-Type: application/json',
    },
  },
  Unprocessable: {
    description: 'One entry for each wrong field.',
    example: { type: 'missing', msg: 'Field required', loc: ['body', 'ipynb'] },
  },
  TooManyRequests: {
    description: 'The caller has too many unfinished jobs; nothing was accepted.',
    example: { type: 'too_many_jobs', msg: 'You have 1000 unfinished jobs, the most that are allowed' },
    headers: ['Retry-After'],
  },
  Unavailable: {
    description: 'The queue or Gafaelfawr is away for now; nothing was accepted, and nothing changed.',
    example: { type: 'service_unavailable', msg: 'The queue is not available, please try again' },
    headers: ['Retry-After'],
  },
};

const REF_OF_STATUS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  411: 'LengthRequired',
  413: 'TooLarge',
  415: 'UnsupportedMediaType',
  422: 'Unprocessable',
  429: 'TooManyRequests',
  503: 'Unavailable',
};

/** The errors that an operation may end with. */
export const errorRefs = (...statuses: number[]): Record<string, { $ref: string }> =>
  Object.fromEntries(
    statuses.map((status) => [
      String(status),
      { $ref: `#/components/responses/${REF_OF_STATUS[status] ?? ''}` },
    ]),
  );

/** In FastAPI's form, as v1 clients know it; in RFC 9457's where `Accept` names it. */
function errorResponse({ description, example, headers = [] }: ErrorInfo): Response {
  return {
    description,
    ...(headers.length > 0 ? { headers: headerRefs(...headers) } : {}),
    content: {
      'application/json': {
        schema: schemaRef('ErrorModel'),
        examples: { error: { value: { detail: [example] } } },
      },
      'application/problem+json': { schema: schemaRef('Problem') },
      'text/html': { schema: text },
    },
  };
}

export const components = (maxTimeoutSeconds: number, pools: Pools): OpenApiDocument['components'] => ({
  schemas: componentSchemas(maxTimeoutSeconds, pools),
  responses: Object.fromEntries(Object.entries(errors).map(([name, info]) => [name, errorResponse(info)])),
  headers,
  securitySchemes: {
    gafaelfawr: {
      type: 'http',
      scheme: 'bearer',
      description:
        "A token of the platform's Gafaelfawr (`gt-…`) with the scope `exec:notebook`. The ingress checks it and hands " +
        'a delegated one to the service.',
    },
  },
});
