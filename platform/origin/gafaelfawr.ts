import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { authenticate } from './authenticate.ts';
import { ApiError, detailOf, readJsonBody, sendJson } from './respond.ts';
import { serialize, type TokenData, type TokenStore } from './token-store.ts';

// The stand-in follows gafaelfawr's models/token.py and handlers/api.py, for the calls that Noteburst makes.

const USERNAME = /^[a-z0-9](?:[a-z0-9]|-[a-z0-9])*[a-z](?:[a-z0-9]|-[a-z0-9])*$/;
const BOT = /^bot-[a-z0-9](?:[a-z0-9]|-[a-z0-9])*$/;
const ADMIN = 'admin:token';
export const API_PATH = '/auth/api/v1';

const AdminTokenRequest = z
  .object({
    username: z.string().min(1).max(64).regex(USERNAME),
    token_type: z.enum(['service', 'user']),
    token_name: z.string().min(1).max(64).nullish(),
    scopes: z.array(z.string().regex(/^[a-zA-Z0-9:._-]+$/)).default([]),
    expires: z
      .union([z.number(), z.iso.datetime({ offset: true }).transform((t) => Date.parse(t) / 1000)])
      .nullish(),
    name: z.string().min(1).nullish(),
    email: z.string().min(1).nullish(),
    uid: z.int().positive().nullish(),
    gid: z.int().positive().nullish(),
    groups: z.array(z.object({ name: z.string(), id: z.int().positive() })).nullish(),
  })
  .superRefine(({ token_type, token_name }, context) => {
    if (token_type === 'user' && !token_name)
      context.addIssue({
        code: 'custom',
        path: ['token_name'],
        message: 'Tokens of type user must have a name',
      });
    if (token_type === 'service' && token_name)
      context.addIssue({
        code: 'custom',
        path: ['token_name'],
        message: 'Tokens of type service cannot have a name',
      });
  });

/** Leaves out what has no value, as Gafaelfawr's answers do. */
const present = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined && v !== null)) as Partial<T>;

const tokenInfo = (token: TokenData): object =>
  present({
    token: token.key,
    username: token.username,
    token_type: token.tokenType,
    service: token.service,
    scopes: [...token.scopes].sort(),
    created: token.created,
    expires: token.expires,
    token_name: token.tokenName,
    parent: token.parent,
  });

const userInfo = ({ username, name, email, uid, gid, groups }: TokenData): object =>
  present({ username, name, email, uid, gid, groups: groups ?? [] });

/** Answers a request to Gafaelfawr's API. */
export async function handleGafaelfawr(
  store: TokenStore,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): Promise<void> {
  const caller = authenticate(store, req.headers);
  const [first, username = '', second, key = '', ...rest] = path.slice(API_PATH.length + 1).split('/');
  const route = `${req.method} ${first}${second === undefined ? '' : `/{username}/${second}`}${key && '/{key}'}`;
  if (rest.length > 0) throw notFound();
  switch (route) {
    case 'GET token-info':
      return sendJson(res, 200, tokenInfo(caller));
    case 'GET user-info':
      return sendJson(res, 200, userInfo(caller));
    case 'POST tokens':
      requireAdmin(caller);
      return create(store, res, await readJsonBody(req));
    case 'GET users/{username}/tokens':
      requireSelfOrAdmin(caller, username);
      return sendJson(res, 200, store.list(username).map(tokenInfo));
    case 'GET users/{username}/tokens/{key}':
      requireSelfOrAdmin(caller, username);
      return sendJson(res, 200, tokenInfo(existing(store, username, key)));
    case 'DELETE users/{username}/tokens/{key}':
      requireSelfOrAdmin(caller, username);
      store.delete(existing(store, username, key).key);
      res.writeHead(204).end();
      return;
    default:
      throw notFound();
  }
}

function create(store: TokenStore, res: ServerResponse, body: unknown): void {
  const parsed = AdminTokenRequest.safeParse(body);
  if (!parsed.success) {
    const detail = parsed.error.issues.map(({ path, message, code }) => ({
      type: code === 'custom' ? 'value_error' : code,
      loc: ['body', ...path.map((part) => (typeof part === 'symbol' ? String(part) : part))],
      msg: message,
    }));
    throw new ApiError(422, detail);
  }
  const { username, token_type, token_name, scopes, expires, name, email, uid, gid, groups } = parsed.data;
  if (token_type === 'service' && !BOT.test(username)) {
    throw denied(`Username "${username}" must start with "bot-"`);
  }
  if (typeof expires === 'number' && expires <= Date.now() / 1000) {
    throw new ApiError(
      422,
      detailOf('invalid_expires', 'Token would have already expired', ['body', 'expires']),
    );
  }
  const token = store.create({
    username,
    tokenType: token_type,
    scopes: [...new Set(scopes)],
    ...present({ tokenName: token_name, name, email, uid, gid, groups }),
    ...(typeof expires === 'number' && { expires: Math.floor(expires) }),
  } as Parameters<TokenStore['create']>[0]);
  const location = `${API_PATH}/users/${username}/tokens/${token.key}`;
  sendJson(res, 201, { token: serialize(token) }, { location });
}

function existing(store: TokenStore, username: string, key: string): TokenData {
  const token = store.find(username, key);
  if (!token) throw new ApiError(404, detailOf('not_found', 'Token not found', ['path', 'key']));
  return token;
}

function requireAdmin(caller: TokenData): void {
  if (!caller.scopes.includes(ADMIN)) throw denied('Token does not have required scope admin:token');
}

function requireSelfOrAdmin(caller: TokenData, username: string): void {
  if (caller.username !== username) requireAdmin(caller);
}

const denied = (msg: string): ApiError => new ApiError(403, detailOf('permission_denied', msg));
const notFound = (): ApiError => new ApiError(404, 'Not Found');
