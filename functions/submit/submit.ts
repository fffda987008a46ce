import { parseBoundedJson } from '../../lib/contract/json.ts';
import { postNotebookRequest } from '../../lib/contract/notebooks-api.ts';
import type { ApiHandler, ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unprocessable } from '../../lib/http/http-error.ts';
import { routed } from '../../lib/http/routes.ts';
import { accept, type AcceptParts } from './accept.ts';
import { list, type ListParts } from './list.ts';

export type SubmitParts = AcceptParts & ListParts & { pathPrefix: string; maxTimeoutSeconds: number };

/** `POST /v1/notebooks/`: checks the notebook, keeps it, puts its job on the queue. `GET` lists the caller's jobs. */
export function submitHandler(parts: SubmitParts): ApiHandler {
  const schema = postNotebookRequest(parts.maxTimeoutSeconds);
  const path = `${parts.pathPrefix}/v1/notebooks/`;
  return routed([
    { method: 'POST', path, handle: (request) => submit(parts, schema, request) },
    // An ingress routes by path, so that this is here and not with what else is read.
    { method: 'GET', path, handle: (request) => list(parts, request) },
  ]);
}

async function submit(
  parts: SubmitParts,
  schema: ReturnType<typeof postNotebookRequest>,
  request: ApiRequest,
): Promise<ApiReply> {
  const caller = await parts.callers.callerOf(request.headers, request.signal);
  const key = idempotencyKeyOf(request);
  const parsed = schema.safeParse(jsonBody(request), { reportInput: true });
  if (!parsed.success) throw unprocessable('body', parsed.error);
  return accept(parts, request, caller.username, parsed.data, key);
}

/** The header of draft-ietf-httpapi-idempotency-key-header, taken as it is. */
function idempotencyKeyOf(request: ApiRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined || (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key))) return key;
  throw new HttpError(422, {
    type: 'value_error',
    loc: ['header', 'Idempotency-Key'],
    msg: 'The idempotency key should be 1 to 255 visible ASCII characters',
  });
}

/** Only JSON by its content type: what a form of another site can send must not submit anything. */
function jsonBody(request: ApiRequest): unknown {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json' && !/^application\/[\w.-]+\+json$/.test(type)) {
    throw new HttpError(415, {
      type: 'unsupported_media_type',
      msg: 'The request should have Content-Type: application/json',
    });
  }
  try {
    return parseBoundedJson(request.body.toString('utf8'));
  } catch (error) {
    throw new HttpError(422, {
      type: 'json_invalid',
      loc: ['body'],
      msg: `JSON decode error: ${(error as Error).message}`,
    });
  }
}
