import { createVerify, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Annotation } from '../../workers/courier/github/check-run.ts';
import type { GitRepository } from './git-repository.ts';
import type { PrivateCa } from './tls-proxy.ts';

/** As GitHub's API shows one, as far as it is asked for. */
export interface ShownCheckRun {
  id: number;
  name: string;
  head_sha: string;
  external_id: string;
  status: string;
  conclusion?: string;
  details_url: string;
  output: { title?: string; summary?: string; annotations_count: number; annotations: Annotation[] };
}

interface Asked {
  method: string;
  path: string;
  authorization: string;
  body: Record<string, unknown>;
}
interface Reply {
  status: number;
  json?: unknown;
  text?: string;
  headers?: Record<string, string>;
}

export const APP_ID = '4711';
export const INSTALLATION = 55;
const BATCH = 50;

/** GitHub over real https, on loopback as `localhost`: what the app asks of its API, in GitHub's shapes, and git. */
export class FakeGithub implements AsyncDisposable {
  readonly privateKey: string;
  readonly checkRuns: ShownCheckRun[] = [];
  readonly asked: Asked[] = [];
  /** Answers in the place of the API, where it wants to. */
  instead: (asked: Asked) => Reply | undefined = () => undefined;
  readonly #publicKey: string;
  readonly #tokens = new Map<string, Record<string, string>>();
  readonly #server: Server;
  readonly #repository: GitRepository;

  private constructor(ca: PrivateCa, repository: GitRepository) {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    // As GitHub gives keys out.
    this.privateKey = keys.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
    this.#publicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    this.#repository = repository;
    this.#server = createServer(ca.server, (request, response) => void this.#take(request, response));
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(ca: PrivateCa, repository: GitRepository): Promise<FakeGithub> {
    const github = new FakeGithub(ca, repository);
    github.#server.listen(0, '127.0.0.1');
    await once(github.#server, 'listening');
    return github;
  }

  /** With its port, as an entry of an allow-list is. */
  get host(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get apiUrl(): string {
    return `https://${this.host}/api/v3`;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'https://localhost');
    const authorization = request.headers.authorization ?? '';
    if (pathname.startsWith(`/${this.#repository.name}.git/`)) {
      const [, token = ''] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
        .toString()
        .split(':');
      if (this.#tokens.get(token)?.['contents'] === 'read') return this.#repository.serve(request, response);
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end();
    }
    const body = JSON.parse((await text(request)) || '{}') as Record<string, unknown>;
    const path = pathname.replace('/api/v3', '');
    const asked: Asked = { method: request.method ?? '', path, authorization, body };
    this.asked.push(asked);
    const { status, json, text: plain, headers } = this.instead(asked) ?? this.#answer(asked);
    response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', ...headers });
    response.end(plain ?? (json === undefined ? '' : JSON.stringify(json)));
  }

  #answer(asked: Asked): Reply {
    const { method, path, authorization } = asked;
    const [scheme = '', secret = ''] = authorization.split(' ');
    const isApp = scheme.toLowerCase() === 'bearer' && this.#isApp(secret);
    if (method === 'POST' && path === `/app/installations/${INSTALLATION}/access_tokens`)
      return isApp ? this.#newToken(asked.body) : UNAUTHORIZED;
    const repo = `/repos/${this.#repository.name}`;
    if (method === 'GET' && path === `${repo}/installation`)
      return isApp ? { status: 200, json: { id: INSTALLATION, app_id: Number(APP_ID) } } : UNAUTHORIZED;
    const permissions = this.#tokens.get(secret);
    if (!permissions || !path.startsWith(repo)) return permissions ? NOT_FOUND : UNAUTHORIZED;
    const below = path.slice(repo.length);
    if (below.includes('check-runs'))
      return permissions['checks'] === 'write' ? this.#check(asked, below) : FORBIDDEN;
    return permissions['contents'] === 'read' ? this.#content(below) : FORBIDDEN;
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

  #newToken({ repositories, permissions }: Record<string, unknown>): Reply {
    const [, name] = this.#repository.name.split('/');
    if (JSON.stringify(repositories) !== JSON.stringify([name]))
      return { status: 422, json: { message: 'no' } };
    const token = `ghs_canary${randomBytes(12).toString('hex')}`;
    this.#tokens.set(token, permissions as Record<string, string>);
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    return {
      status: 201,
      json: {
        token,
        expires_at,
        permissions,
        repository_selection: 'selected',
        repositories: [{ id: 1, name }],
      },
    };
  }

  #check({ method, body }: Asked, below: string): Reply {
    if (method === 'GET' && /^\/commits\/\w+\/check-runs$/.test(below)) {
      const found = this.checkRuns.filter(({ head_sha: sha }) => below.includes(sha));
      return { status: 200, json: { total_count: found.length, check_runs: found } };
    }
    const { output = {}, ...fields } = body as { output?: Partial<ShownCheckRun['output']> };
    const annotations = output.annotations ?? [];
    if (annotations.length > BATCH || !annotations.every((each) => each.path && each.start_line > 0))
      return { status: 422, json: { message: 'Invalid request.' } };
    if (method === 'POST' && below === '/check-runs') {
      const made = {
        id: this.checkRuns.length + 1,
        output: { annotations_count: 0, annotations: [] },
        ...fields,
      };
      this.checkRuns.push(made as unknown as ShownCheckRun);
      return { status: 201, json: made };
    }
    const id = Number(/^\/check-runs\/(\d+)$/.exec(below)?.[1]);
    const found = this.checkRuns.find((each) => each.id === id);
    if (!found) return NOT_FOUND;
    if (method === 'PATCH') {
      const all = [...found.output.annotations, ...annotations];
      Object.assign(found, fields);
      found.output = { ...found.output, ...output, annotations: all, annotations_count: all.length };
    }
    return { status: 200, json: found };
  }

  #content(below: string): Reply {
    if (below === '') return { status: 200, json: { default_branch: 'main' } };
    if (below === '/contents/noteburst.yaml') return this.#raw('noteburst.yaml');
    const ref = /^\/commits\/(.+)$/.exec(below)?.[1];
    if (ref === undefined) return NOT_FOUND;
    return { status: 200, json: { sha: this.#repository.git('rev-parse', ref) } };
  }

  #raw(path: string): Reply {
    if (this.#repository.git('ls-files', path) === '') return NOT_FOUND;
    const headers = { 'Content-Type': 'application/vnd.github.raw+json; charset=utf-8' };
    return { status: 200, text: this.#repository.git('show', `HEAD:${path}`), headers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

const UNAUTHORIZED: Reply = { status: 401, json: { message: 'Bad credentials' } };
const FORBIDDEN: Reply = { status: 403, json: { message: 'Resource not accessible by integration' } };
const NOT_FOUND: Reply = { status: 404, json: { message: 'Not Found' } };
