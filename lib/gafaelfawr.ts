import { z } from 'zod';

/** Instants of Gafaelfawr are whole seconds since the epoch; a token that never expires has none. */
const secondsSchema = z
  .number()
  .nullish()
  .transform((seconds) => (typeof seconds === 'number' ? new Date(seconds * 1000) : undefined));

const newTokenSchema = z.object({ token: z.string().startsWith('gt-').includes('.') });

const tokenSchema = z.object({
  token: z.string(),
  username: z.string(),
  token_type: z.string(),
  scopes: z.array(z.string()),
  expires: secondsSchema,
});

/** A token as Gafaelfawr describes it; never its secret. */
export interface TokenInfo {
  /** identifies the token, is not secret */
  readonly key: string;
  readonly username: string;
  /** "user", "service", "notebook", "internal", … */
  readonly tokenType: string;
  readonly scopes: readonly string[];
  /** undefined: never */
  readonly expires: Date | undefined;
}

/** What a new service token is to be; `expires` is rounded down to whole seconds. */
export interface ServiceTokenRequest {
  readonly username: string;
  readonly scopes: readonly string[];
  readonly expires: Date;
  /** numeric POSIX ids, for platforms where Gafaelfawr does not assign them */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** Gafaelfawr refused, or could not be asked. */
export class GafaelfawrError extends Error {
  override readonly name = 'GafaelfawrError';
  /** HTTP status; undefined when no usable answer came at all */
  readonly status: number | undefined;
  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
  /** true when the same call may succeed later: no answer, throttled, or trouble on Gafaelfawr's side */
  get transient(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500;
  }
}

/** The public part of a token: what stands between "gt-" and ".". */
export function tokenKey(token: string): string {
  const key = /^gt-([^.]+)\../.exec(token)?.[1];
  if (key === undefined)
    throw new GafaelfawrError('This is not a Gafaelfawr token: it has no form gt-key.secret.');
  return key;
}

/**
 * Whose token this is and what it may do, as Gafaelfawr itself says.
 *
 * @param gafaelfawrUrl base of its v1 API
 * @returns undefined when the token is unknown, revoked or expired
 * @throws GafaelfawrError when Gafaelfawr cannot be asked: the token is then neither good nor bad
 */
export async function tokenInfo(
  gafaelfawrUrl: string,
  token: string,
  signal?: AbortSignal,
): Promise<TokenInfo | undefined> {
  const call: Call = { url: `${gafaelfawrUrl}/token-info`, method: 'GET', token, signal, accept: [401] };
  const { status, body } = await send(call);
  return status === 401 ? undefined : fromWire(parse(call, status, body, tokenSchema));
}

/** The token calls that need the service's own token with the scope admin:token. */
export class Gafaelfawr {
  readonly #url: string;
  readonly #adminToken: string;

  /** @param url base of Gafaelfawr's v1 API, without a trailing slash */
  constructor(url: string, adminToken: string) {
    this.#url = url;
    this.#adminToken = adminToken;
  }

  /** Mints a token for a bot user. @returns the whole token, which is a secret */
  async createServiceToken(request: ServiceTokenRequest, signal?: AbortSignal): Promise<string> {
    const call = this.#call('POST', '/tokens', signal, {
      username: request.username,
      token_type: 'service',
      // No token_name: Gafaelfawr refuses names for service tokens.
      scopes: request.scopes,
      expires: Math.floor(request.expires.getTime() / 1000),
      ...(request.uid === undefined ? {} : { uid: request.uid }),
      ...(request.gid === undefined ? {} : { gid: request.gid }),
    });
    const { status, body } = await send(call);
    return parse(call, status, body, newTokenSchema).token;
  }

  /** All tokens a user has at the moment. */
  async listTokens(username: string, signal?: AbortSignal): Promise<TokenInfo[]> {
    const call = this.#call('GET', `/users/${encodeURIComponent(username)}/tokens`, signal);
    const { status, body } = await send(call);
    return parse(call, status, body, z.array(tokenSchema)).map(fromWire);
  }

  /** Revokes a token; one that is gone already is fine. */
  async deleteToken(username: string, key: string, signal?: AbortSignal): Promise<void> {
    const path = `/users/${encodeURIComponent(username)}/tokens/${encodeURIComponent(key)}`;
    await send({ ...this.#call('DELETE', path, signal), accept: [404] });
  }

  #call(method: Call['method'], path: string, signal: AbortSignal | undefined, body?: object): Call {
    return { url: this.#url + path, method, token: this.#adminToken, signal, body };
  }
}

interface Call {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly token: string;
  readonly signal: AbortSignal | undefined;
  readonly body?: object | undefined;
  /** statuses besides 2xx that are an answer, not an error */
  readonly accept?: readonly number[];
}

const TIMEOUT_MS = 10_000;

async function send(call: Call): Promise<{ status: number; body: string }> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(call.url, {
      method: call.method,
      // A redirect would carry the token to who knows where; Gafaelfawr's API never sends one.
      redirect: 'error',
      signal: call.signal ? AbortSignal.any([call.signal, deadline]) : deadline,
      headers: { authorization: `Bearer ${call.token}`, accept: 'application/json', ...contentType(call) },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    const body = await response.text();
    if (response.ok || call.accept?.includes(response.status)) return { status: response.status, body };
    throw new GafaelfawrError(
      `${describe(call)} answered ${response.status}. ${advice(response.status)}`,
      response.status,
    );
  } catch (error) {
    if (error instanceof GafaelfawrError) throw error;
    call.signal?.throwIfAborted();
    throw new GafaelfawrError(
      `${describe(call)} got no answer: is Gafaelfawr up and its URL right?`,
      undefined,
      error,
    );
  }
}

function parse<T>(call: Call, status: number, body: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new GafaelfawrError(`${describe(call)} answered ${status} without JSON: is the URL right?`, status);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new GafaelfawrError(`${describe(call)} answered in another shape than we know (${fields}).`, status);
}

function fromWire(token: z.infer<typeof tokenSchema>): TokenInfo {
  const { token: key, username, token_type: tokenType, scopes, expires } = token;
  return { key, username, tokenType, scopes, expires };
}

function contentType(call: Call): Record<string, string> {
  return call.body === undefined ? {} : { 'content-type': 'application/json' };
}

function describe(call: Call): string {
  return `Gafaelfawr ${call.method} ${new URL(call.url).pathname}`;
}

function advice(status: number): string {
  if (status === 401) return 'The token it was called with is not valid: check NOTEBURST_GAFAELFAWR_TOKEN.';
  if (status === 403) return 'The token it was called with lacks a scope: minting tokens needs admin:token.';
  if (status === 422)
    return 'It does not take the user name (bots are called bot-…), a scope or the lifetime.';
  return status === 429 || status >= 500 ? 'Try again later.' : 'Is the URL right?';
}
