import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { authenticate } from '../../platform/origin/authenticate.ts';
import { discoveryDocument } from '../../platform/origin/discovery.ts';
import { API_PATH, handleGafaelfawr } from '../../platform/origin/gafaelfawr.ts';
import { ApiError, sendJson } from '../../platform/origin/respond.ts';
import { serialize, TokenStore, type TokenData } from '../../platform/origin/token-store.ts';
import { FakeHub, type FakeAction } from './fake-hub.ts';
import { FailurePlan, survives } from './fake-http.ts';
import type { LabCommand } from './fake-lab.ts';

/** Besides those of the hubs: discovery, Gafaelfawr's calls by method, and kernels' websockets. */
export type PlatformAction =
  FakeAction | 'discovery' | 'token-info' | 'token-create' | 'token-list' | 'token-delete' | 'websocket';

const GAFAELFAWR_ACTIONS = { POST: 'token-create', GET: 'token-list', DELETE: 'token-delete' } as const;

/**
 * A science platform in this process: the real stand-ins of Gafaelfawr and of discovery, a fake hub and lab for each
 * bot. As fast as it can be, and it fails when and as it is told; it keeps who did what to which lab.
 */
export class FakePlatform implements AsyncDisposable {
  readonly tokens = new TokenStore();
  readonly failures = new FailurePlan<PlatformAction>();
  /** all that had an effect on a lab, oldest first */
  readonly commands: LabCommand[] = [];
  readonly adminToken: string;
  /** for the hubs to come */
  spawnMs = 20;
  readonly #hubs = new Map<string, FakeHub>();
  readonly #sockets = new Set<Duplex>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  private constructor() {
    const admin = this.tokens.create({
      username: 'bot-noteburst',
      tokenType: 'service',
      scopes: ['admin:token'],
    });
    this.adminToken = serialize(admin);
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
  }

  static async start(): Promise<FakePlatform> {
    const platform = new FakePlatform();
    platform.#server.listen(0, '127.0.0.1');
    await once(platform.#server, 'listening');
    return platform;
  }

  get originUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  get hubUrl(): string {
    return `${this.originUrl}/nb`;
  }
  get gafaelfawrUrl(): string {
    return `${this.originUrl}${API_PATH}`;
  }
  get repertoireUrl(): string {
    return `${this.originUrl}/repertoire`;
  }

  /** The hub as one bot sees it. */
  hub(username: string): FakeHub {
    let hub = this.#hubs.get(username);
    if (!hub) {
      hub = new FakeHub(username, this.failures, (command) => this.commands.push(command));
      hub.spawnMs = this.spawnMs;
      this.#hubs.set(username, hub);
    }
    return hub;
  }

  /** Whoever has a lab, or is about to. */
  labs(): string[] {
    return [...this.#hubs.values()]
      .filter(({ lab, pending }) => lab ?? pending)
      .map(({ username }) => username);
  }

  /** Takes a bot's tokens away, as an administrator does. */
  revoke(username: string): void {
    for (const { key } of this.tokens.list(username)) this.tokens.delete(key);
  }

  /** Forgets what was done, and what is to fail. */
  forget(): void {
    this.commands.length = 0;
    this.failures.clear();
  }

  /** Resets every connection that a websocket has. */
  cutWebsockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const hub of this.#hubs.values()) hub.cull();
    this.cutWebsockets();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    try {
      if (path.startsWith('/nb')) {
        const caller = this.#caller(request);
        return await this.hub(caller.username).serve(request, response, keyOf(caller));
      }
      if (!(await survives(this.failures.take(actionOf(request.method, path)), request, response))) return;
      if (path.startsWith(API_PATH)) return await handleGafaelfawr(this.tokens, request, response, path);
      if (path === '/repertoire/discovery') return sendJson(response, 200, discoveryDocument(this.originUrl));
      throw new ApiError(404, 'Not Found');
    } catch (error) {
      const { status, detail, headers } =
        error instanceof ApiError ? error : new ApiError(500, String(error));
      sendJson(response, status, { detail }, headers);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const failure = this.failures.take('websocket');
    if (failure === 'hang') return;
    if (failure !== undefined) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    try {
      const caller = this.#caller(request);
      this.hub(caller.username).upgrade(request, socket, head, keyOf(caller));
    } catch {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  }

  #caller(request: IncomingMessage): TokenData {
    return authenticate(this.tokens, request.headers, 'exec:notebook');
  }
}

const keyOf = ({ key }: TokenData): string => key;

function actionOf(method = 'GET', path: string): PlatformAction {
  if (!path.startsWith(API_PATH)) return 'discovery';
  if (path.endsWith('/token-info')) return 'token-info';
  return GAFAELFAWR_ACTIONS[method as keyof typeof GAFAELFAWR_ACTIONS];
}
