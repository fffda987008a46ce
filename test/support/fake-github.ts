import { createVerify, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { GitRepository } from './git-repository.ts';
import { NOT_FOUND, refusal, type Asked, type Call, type Reply } from './github-api/call.ts';
import { FakeCheckRuns, type ShownCheckRun } from './github-api/check-runs.ts';
import { commitOf, contentsOf, shaOf } from './github-api/contents.ts';
import { assertAnswer, example, problemOfBody } from './github-api/published.ts';
import type { PrivateCa } from './tls-proxy.ts';

/** What the app may do where it is installed. */
const PERMISSIONS = { metadata: 'read', contents: 'read', pull_requests: 'read', checks: 'write' };
const UNAUTHORIZED = refusal(401, 'Bad credentials');
const FORBIDDEN = refusal(403, 'Resource not accessible by integration');

export const APP_ID = '4711';
export const INSTALLATION = 55;

type Permissions = Readonly<Record<string, string>>;
interface Route {
  name: string;
  path: RegExp;
  /** Of a token, such as `checks:write`; absent: the app itself asks. */
  needs?: string;
  answer: (call: Call) => Reply;
}

/**
 * GitHub over real https, at the name and address of a CA's server, with one repository: git, and what the app asks of the API. What is asked
 * and what is answered are held against what GitHub publishes.
 */
export class FakeGithub implements AsyncDisposable {
  readonly privateKey: string;
  readonly asked: Asked[] = [];
  /** Answers in the place of the API, where it wants to. */
  instead: (asked: Asked) => Reply | undefined = () => undefined;
  /** So many POSTs do what they ask for, and are answered by 502. */
  lostAnswers = 0;
  readonly #checks = new FakeCheckRuns(Number(APP_ID));
  readonly #publicKey: string;
  readonly #tokens = new Map<string, Permissions>();
  readonly #server: Server;
  readonly #name: string;
  readonly #repository: GitRepository;
  readonly #routes: Route[];

  private constructor(ca: PrivateCa, repository: GitRepository) {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    // As GitHub gives keys out.
    this.privateKey = keys.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
    this.#publicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    this.#name = ca.name;
    this.#repository = repository;
    this.#routes = this.#allRoutes();
    this.#server = createServer(ca.server, (request, response) => void this.#take(request, response));
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(ca: PrivateCa, repository: GitRepository): Promise<FakeGithub> {
    const github = new FakeGithub(ca, repository);
    github.#server.listen(0, ca.address);
    await once(github.#server, 'listening');
    return github;
  }

  /** With its port, as an entry of an allow-list is. */
  get host(): string {
    return `${this.#name}:${(this.#server.address() as AddressInfo).port}`;
  }

  get apiUrl(): string {
    return `https://${this.host}/api/v3`;
  }

  /** Those that were made, oldest first. */
  get checkRuns(): ShownCheckRun[] {
    return this.#checks.all;
  }

  #allRoutes(): Route[] {
    const git = this.#repository;
    const repo = '/repos/{owner}/{repo}';
    const route = (name: string, answer: Route['answer'], needs?: string): Route => {
      const path = name.replace(/^\w+ /, '').replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
      return { name, path: new RegExp(`^${path}$`), answer, ...(needs !== undefined && { needs }) };
    };
    const ofCheck = `${repo}/check-runs/{check_run_id}`;
    return [
      route('POST /app/installations/{installation_id}/access_tokens', (call) => this.#newToken(call)),
      route(`GET ${repo}/installation`, () => this.#installation()),
      route(`GET ${repo}`, () => this.#named(), 'metadata:read'),
      route(`GET ${repo}/contents/{path}`, (call) => contentsOf(git, call), 'contents:read'),
      route(`GET ${repo}/commits/{ref}`, (call) => commitOf(git, call), 'contents:read'),
      route(`POST ${repo}/check-runs`, (call) => this.#checks.create(call), 'checks:write'),
      route(`GET ${ofCheck}`, (call) => this.#checks.get(call), 'checks:read'),
      route(`PATCH ${ofCheck}`, (call) => this.#checks.update(call), 'checks:write'),
      route(
        `GET ${repo}/commits/{ref}/check-runs`,
        (call) => this.#checks.list(call, this.#shaOf(call.parameters['ref'])),
        'checks:read',
      ),
    ];
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
    const { authorization = '', accept = '' } = request.headers;
    if (pathname.startsWith(`/${this.#repository.name}.git/`)) {
      const [, token = ''] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
        .toString()
        .split(':');
      if (isAllowed(this.#tokens.get(token), 'contents:read'))
        return this.#repository.serve(request, response);
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end();
    }
    const body = JSON.parse((await text(request)) || '{}') as Record<string, unknown>;
    const path = pathname.replace('/api/v3', '');
    const query = Object.fromEntries(searchParams);
    const asked: Asked = { method: request.method ?? '', path, query, authorization, body };
    this.asked.push(asked);
    try {
      const reply = this.instead(asked) ?? this.#answer(asked, accept.includes('raw'));
      const isLost = asked.method === 'POST' && this.lostAnswers > 0;
      if (isLost) this.lostAnswers -= 1;
      send(response, isLost ? refusal(502, 'Server Error') : reply);
    } catch (error) {
      send(response, refusal(500, (error as Error).message));
      throw error;
    }
  }

  #answer(asked: Asked, isRaw: boolean): Reply {
    for (const { name, path, needs, answer } of this.#routes) {
      const found = name.startsWith(`${asked.method} `) ? path.exec(asked.path) : null;
      if (!found) continue;
      const [scheme = '', secret = ''] = asked.authorization.split(' ');
      const token = this.#tokens.get(secret);
      const isApp = scheme.toLowerCase() === 'bearer' && this.#isApp(secret);
      if (needs === undefined ? !isApp : !token) return UNAUTHORIZED;
      const parameters = Object.fromEntries(
        Object.entries(found.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]),
      );
      const { owner, repo = this.#repository.name.split('/')[1], installation_id: id } = parameters;
      if (owner !== undefined && `${owner}/${repo}` !== this.#repository.name) return NOT_FOUND;
      if (id !== undefined && Number(id) !== INSTALLATION) return NOT_FOUND;
      if (needs !== undefined && !isAllowed(token, needs)) return FORBIDDEN;
      const problem = problemOfBody(name, asked.body);
      if (problem !== undefined) return refusal(422, `Invalid request.\n\n${problem}`);
      const reply = answer({ ...asked, parameters, apiUrl: this.apiUrl, isRaw });
      if (reply.status < 400 && reply.text === undefined) assertAnswer(name, reply);
      return reply;
    }
    return NOT_FOUND;
  }

  #shaOf(ref = ''): string | undefined {
    // What is asked of a commit that only a test knows of is asked for by its id.
    return shaOf(this.#repository, ref) ?? (/^[0-9a-f]{40}$/.test(ref) ? ref : undefined);
  }

  /** RFC 7519 and 7515: signed by the app's key, for ten minutes at most. */
  #isApp(jwt: string): boolean {
    const [header = '', payload = '', signature = ''] = jwt.split('.');
    const signed = createVerify('RSA-SHA256').update(`${header}.${payload}`);
    if (!signed.verify(this.#publicKey, signature, 'base64url')) return false;
    const { iss, iat, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const now = Date.now() / 1_000;
    return String(iss) === APP_ID && iat <= now && exp > now && exp - iat <= 660;
  }

  #newToken({ body }: Call): Reply {
    const { repositories = [this.#shortName], permissions = PERMISSIONS } = body as {
      repositories?: string[];
      permissions?: Permissions;
    };
    if (repositories.some((name) => name !== this.#shortName))
      return refusal(422, 'There is at least one repository that does not exist or is not accessible');
    if (!Object.entries(permissions).every(([name, level]) => isAllowed(PERMISSIONS, `${name}:${level}`)))
      return refusal(422, 'The permissions requested are not granted to this installation.');
    const token = `ghs_canary${randomBytes(12).toString('hex')}`;
    const granted = { metadata: 'read', ...permissions };
    this.#tokens.set(token, granted);
    const recorded = example('POST /app/installations/{installation_id}/access_tokens');
    const [repository] = recorded['repositories'] as object[];
    const own = { ...repository, name: this.#shortName, full_name: this.#repository.name };
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const json = { ...recorded, token, expires_at, permissions: granted, repositories: [own] };
    return { status: 201, json };
  }

  #installation(): Reply {
    const recorded = example('GET /repos/{owner}/{repo}/installation');
    const own = { id: INSTALLATION, app_id: Number(APP_ID), permissions: PERMISSIONS };
    return { status: 200, json: { ...recorded, ...own } };
  }

  #named(): Reply {
    // GitHub publishes it without what its schema wants.
    const { source: _, parent: __, ...recorded } = example('GET /repos/{owner}/{repo}');
    const own = { name: this.#shortName, full_name: this.#repository.name, language: null };
    return { status: 200, json: { ...recorded, ...own, default_branch: 'main' } };
  }

  get #shortName(): string {
    return this.#repository.name.split('/')[1] as string;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

/** @param needed such as `checks:write`; who may write may read */
function isAllowed(permissions: Permissions | undefined, needed: string): boolean {
  const [name = '', level = ''] = needed.split(':');
  const given = permissions?.[name];
  return given === level || given === 'write';
}

function send(response: ServerResponse, { status, json, text, headers }: Reply): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
  response.end(text ?? (json === undefined ? '' : JSON.stringify(json)));
}
