import type { Dispatcher } from 'undici';
import type { z } from 'zod';
import { retryAfterMs } from '../../../lib/http/retry-after-ms.ts';
import { JupyterProtocolError, JupyterResponseError } from './errors.ts';

type Answer = Dispatcher.ResponseData;

/** What a request carries, besides where it goes. */
export interface Payload {
  readonly json?: unknown;
  /** sent as it is */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  /** loading a page, as a browser does: only then do hub and lab hand out XSRF cookies */
  readonly navigate?: boolean;
}

/** The body of a request, and the headers that go with it. */
export function modeAndBody(payload: Payload): { body: string | null; headers: Record<string, string> } {
  const mode = { ...payload.headers, 'sec-fetch-mode': payload.navigate ? 'navigate' : 'same-origin' };
  if (payload.text !== undefined) {
    return { body: payload.text, headers: { ...mode, 'content-type': 'application/json' } };
  }
  if (payload.form) {
    const headers = { ...mode, 'content-type': 'application/x-www-form-urlencoded' };
    return { body: new URLSearchParams(payload.form).toString(), headers };
  }
  if (payload.json === undefined) return { body: null, headers: mode };
  return { body: JSON.stringify(payload.json), headers: { ...mode, 'content-type': 'application/json' } };
}

/** The Location of a redirect; undefined if the answer is none. */
export function redirectOf(answer: Answer): string | undefined {
  const { location } = answer.headers;
  return answer.statusCode >= 300 && answer.statusCode < 400 && typeof location === 'string'
    ? location
    : undefined;
}

/** @throws JupyterResponseError unless the status is 200–299; the body is read to its end then, and forgotten */
export async function throwUnlessSuccess(method: string, url: URL, answer: Answer): Promise<void> {
  if (answer.statusCode >= 200 && answer.statusCode < 300) return;
  await answer.body.dump();
  const retryAfter = [answer.headers['retry-after']].flat()[0];
  throw new JupyterResponseError(method, url.pathname, answer.statusCode, retryAfterMs(retryAfter));
}

/** @param call names the request in the error, for example "GET /nb/hub/api/users/bot-a" */
export function parseJson<T>(call: string, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // No cause: a SyntaxError quotes the text.
    throw new JupyterProtocolError(`${call} did not answer JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => issue.path.join('.') || '(all of it)').join(', ');
  throw new JupyterProtocolError(`${call} answered in another shape than we know: ${fields}`);
}

/** Why a request failed, in one word that is safe to print. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause instanceof Error ? codeOf(error.cause) : error.name;
}
