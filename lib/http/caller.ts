import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { HttpError, unavailable } from './http-error.ts';

/** Whoever sent the request, as Gafaelfawr vouches for. */
export interface Caller {
  username: string;
}

/** What Gafaelfawr says of a token. */
export interface TokenOwner {
  username: string;
  scopes: readonly string[];
}

/** Asks Gafaelfawr whose token this is; undefined when it is unknown, expired or revoked. */
export type TokenCheck = (token: string, signal: AbortSignal) => Promise<TokenOwner | undefined>;

const CACHE_MS = 60_000;
const CACHE_ENTRIES = 10_000;

/**
 * Tells who calls. Gafaelfawr's ingress sets X-Auth-Request-User and -Token, but whoever is inside the cluster can
 * set them as well; so the delegated token is checked with Gafaelfawr, and the user must be the token's.
 */
export class CallerCheck {
  readonly #check: TokenCheck;
  readonly #scope: string;
  readonly #now: () => number;
  /** By the token's SHA-256, so that a dump of the process holds no working tokens of past callers. */
  readonly #known = new Map<string, TokenOwner & { untilMs: number }>();

  /** @param scope what the caller's token must allow */
  constructor(check: TokenCheck, scope: string, now: () => number = () => performance.now()) {
    this.#check = check;
    this.#scope = scope;
    this.#now = now;
  }

  /** @throws {HttpError} 401 without a valid identity, 403 without the scope, 503 when Gafaelfawr cannot be asked */
  async callerOf(headers: IncomingHttpHeaders, signal: AbortSignal): Promise<Caller> {
    const username = single(headers['x-auth-request-user']);
    const token = single(headers['x-auth-request-token']);
    if (!username || !token) throw unauthorized('The request carries no identity: call through the ingress');
    const digest = hash('sha256', token, 'base64');
    const owner = this.#remembered(digest) ?? (await this.#ask(digest, token, signal));
    if (owner?.username !== username) throw unauthorized('The delegated token is not valid for this user');
    if (!owner.scopes.includes(this.#scope)) {
      throw new HttpError(403, {
        type: 'permission_denied',
        msg: `The token lacks the scope ${this.#scope}`,
      });
    }
    return { username };
  }

  #remembered(digest: string): TokenOwner | undefined {
    const entry = this.#known.get(digest);
    return entry && entry.untilMs > this.#now() ? entry : undefined;
  }

  async #ask(digest: string, token: string, signal: AbortSignal): Promise<TokenOwner | undefined> {
    let info: TokenOwner | undefined;
    try {
      info = await this.#check(token, signal);
    } catch (error) {
      throw Object.assign(unavailable('The identity could not be checked, please try again'), {
        cause: error,
      });
    }
    if (!info) return undefined;
    // A full cache starts anew: simpler than an order of use, and as rare as ten thousand callers in a minute.
    if (this.#known.size >= CACHE_ENTRIES) this.#known.clear();
    const { username, scopes } = info;
    this.#known.set(digest, { username, scopes, untilMs: this.#now() + CACHE_MS });
    return info;
  }
}

function unauthorized(msg: string): HttpError {
  return new HttpError(401, { type: 'invalid_identity', msg }, { 'WWW-Authenticate': 'Bearer' });
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? undefined : header;
}
