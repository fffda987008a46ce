import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, detailOf } from './respond.ts';
import { isToken, type TokenData, type TokenStore } from './token-store.ts';

const REALM = '127.0.0.1';
const NO_CACHE = { 'cache-control': 'no-cache, no-store' };

/** The token in an Authorization header: Bearer, or Basic with the token as user name or as password. */
export function tokenIn(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const [, scheme = '', value = ''] = /^(\S+)\s+(.+)$/.exec(authorization.trim()) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value;
    case 'basic':
      return Buffer.from(value, 'base64').toString('utf8').trim().split(':').find(isToken) ?? '';
    default:
      throw new ApiError(400, detailOf('invalid_request', `Unknown Authorization type ${scheme}`), NO_CACHE);
  }
}

/** Who is calling; throws Gafaelfawr's 401 or 403 when it is nobody, or somebody without the scope. */
export function authenticate(store: TokenStore, headers: IncomingHttpHeaders, scope?: string): TokenData {
  const text = tokenIn(headers.authorization);
  if (text === undefined) {
    const challenge = { 'www-authenticate': `Bearer realm="${REALM}"`, ...NO_CACHE };
    throw new ApiError(401, { type: 'no_authorization', msg: 'Authentication required' }, challenge);
  }
  const token = store.verify(text);
  if (!token) throw challenged(401, 'invalid_token', 'Token is not valid or has expired');
  if (scope !== undefined && !token.scopes.includes(scope)) {
    throw challenged(403, 'insufficient_scope', 'Token missing required scope', scope);
  }
  return token;
}

function challenged(status: number, type: string, msg: string, scope?: string): ApiError {
  const attributes = [`realm="${REALM}"`, `error="${type}"`, `error_description="${msg}"`];
  if (scope !== undefined) attributes.push(`scope="${scope}"`);
  const headers = { 'www-authenticate': `Bearer ${attributes.join(', ')}`, ...NO_CACHE };
  return new ApiError(status, detailOf(type, msg), headers);
}

/** What a caller must not say about itself: the ingress says it. */
const FORGEABLE = /^(x-auth-request-|x-forwarded-|x-original-|x-real-ip$|forwarded$)/;

/** Rewrites a request's headers as Gafaelfawr and ingress-nginx do before they pass it on. */
export function passedHeaders(headers: IncomingHttpHeaders, user: TokenData, delegated: string): void {
  for (const name of Object.keys(headers)) if (FORGEABLE.test(name)) delete headers[name];
  // The caller's own token goes no further; the delegated one takes its place.
  delete headers.authorization;
  headers['x-auth-request-user'] = user.username;
  headers['x-auth-request-token'] = delegated;
  if (user.email !== undefined) headers['x-auth-request-email'] = user.email;
}
