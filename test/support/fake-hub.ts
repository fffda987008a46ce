import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { FailurePlan, json, redirect, secret, status, survives, type FakeFailure } from './fake-http.ts';
import { FakeLab, type LabCommand } from './fake-lab.ts';

/** What can be made to fail. Everything of a lab's own REST API is "lab-api". */
export type FakeAction =
  'home' | 'login' | 'user' | 'stop' | 'spawn-form' | 'spawn' | 'progress' | 'authorize' | 'lab' | 'lab-api';

export interface ProgressEvent {
  progress: number;
  message: string;
  failed?: boolean;
}

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

/**
 * A JupyterHub with one bot's lab, over real HTTP: redirect chains, two XSRF spaces, cookies, server-sent events.
 * It refuses what the real one refuses, so that a client which works here has done its duties.
 */
export class FakeHub {
  readonly username: string;
  token = 'gt-key.secret';
  lab: FakeLab | undefined;
  /** the server in the user model: a spawn that takes its time, a stop that does */
  pending: 'spawn' | 'stop' | null = null;
  /** told by the progress stream, before the end of the spawn */
  events: ProgressEvent[] = [{ progress: 10, message: 'Server requested' }];
  /** how a spawn ends: undefined means ready */
  spawnError: string | undefined;
  spawnMs = 20;
  /** told of each lab as it comes up, before anybody is told that it is ready */
  onSpawned: (lab: FakeLab) => void = () => undefined;
  stopMs = 20;
  /** cut the progress stream after so many events, once */
  cutProgressAfter: number | undefined;
  /** every call that arrived: its action and the headers of interest */
  readonly calls: { action: FakeAction; userAgent: string | undefined; referer: string | undefined }[] = [];
  readonly forms: Record<string, string>[] = [];
  readonly #failures: Pick<FailurePlan<FakeAction>, 'failOn' | 'take'>;
  readonly #onCommand: (command: LabCommand) => void;
  readonly #server: Server = createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${this.token}`) return redirect(response, '/login');
    void this.serve(request, response);
  });
  #hubCookie = secret();
  #hubXsrf = secret();
  #lastSpawnError: string | undefined;

  /** @param onCommand told of all that changes something in the lab, as it takes effect */
  constructor(
    username = 'bot-fake',
    failures: Pick<FailurePlan<FakeAction>, 'failOn' | 'take'> = new FailurePlan<FakeAction>(),
    onCommand: (command: LabCommand) => void = () => undefined,
  ) {
    this.username = username;
    this.#failures = failures;
    this.#onCommand = onCommand;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/nb`;
  }

  /** The next `times` calls of this action fail in this way. */
  failOn(action: FakeAction, failure: FakeFailure, times = 1): void {
    this.#failures.failOn(action, failure, times);
  }

  /** The lab is gone, as after the culler or a crash. */
  cull(): void {
    this.lab?.close();
    this.lab = undefined;
  }

  /** Another server runs under the lab's URL: it knows neither our kernels nor our cookies. */
  restartLab(): void {
    this.cull();
    this.lab = this.#newLab();
  }

  /** All cookies given out so far are worth nothing from now on, as after a restart of the hub. */
  expireCookies(): void {
    [this.#hubCookie, this.#hubXsrf] = [secret(), secret()];
    this.lab?.expireCookies();
  }

  count(action: FakeAction): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  /** @param caller names the token behind the request, for the record of commands */
  async serve(request: IncomingMessage, response: ServerResponse, caller = ''): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = url.pathname.replace(/^\/nb/, '');
    const [action, handler] = this.#route(request.method ?? 'GET', path, caller);
    this.calls.push({ action, userAgent: request.headers['user-agent'], referer: request.headers.referer });
    if (await survives(this.#failures.take(action), request, response)) await handler(request, response, url);
  }

  /** Opens the websocket of a kernel. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, caller: string): void {
    const [path = ''] = (request.url ?? '/').replace(/^\/nb/, '').split('?', 1);
    const user = `/user/${this.username}/`;
    if (this.lab && path.startsWith(user))
      this.lab.upgrade(path.slice(user.length), request, socket, head, caller);
    else socket.end('HTTP/1.1 424 Failed Dependency\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  }

  #newLab(): FakeLab {
    return new FakeLab(this.username, this.#onCommand);
  }

  #route(method: string, path: string, caller: string): [FakeAction, Handler] {
    const api = `/hub/api/users/${this.username}`;
    const user = `/user/${this.username}/`;
    if (path === '/hub/home')
      return ['home', this.#loggedIn((_, response) => void response.end('<p>home</p>'))];
    if (path === '/hub/login')
      return ['login', (_, response, url) => redirect(response, `/nb/hub/gafaelfawr/login${url.search}`)];
    if (path === '/hub/gafaelfawr/login') return ['login', this.#login];
    if (path === api) return ['user', this.#xsrfChecked(this.#user)];
    if (path === `${api}/server` && method === 'DELETE')
      return ['stop', this.#xsrfChecked(this.#stopLab(caller))];
    if (path === `${api}/server/progress`) return ['progress', this.#xsrfChecked(this.#progress)];
    if (path === '/hub/spawn' && method === 'GET')
      return ['spawn-form', this.#loggedIn((_, response) => void response.end('<form>'))];
    if (path === '/hub/spawn') return ['spawn', this.#loggedIn(this.#xsrfChecked(this.#spawn(caller)))];
    if (path === '/hub/api/oauth2/authorize') return ['authorize', this.#loggedIn(this.#authorize)];
    const action = path === `${user}lab` || path === `${user}oauth_callback` ? 'lab' : 'lab-api';
    if (!path.startsWith(user) || !this.lab)
      return [action, (_, response) => status(response, path.startsWith(user) ? 424 : 404)];
    return [action, this.lab.handler(path.slice(user.length), caller)];
  }

  #loggedIn(handler: Handler): Handler {
    return (request, response, url) => {
      if (request.headers.cookie?.includes(this.#hubCookie)) return handler(request, response, url);
      redirect(response, `/nb/hub/login?next=${encodeURIComponent(url.pathname + url.search)}`);
    };
  }

  #xsrfChecked(handler: Handler): Handler {
    return (request, response, url) => {
      const cookies = request.headers.cookie ?? '';
      const good = cookies.includes(this.#hubXsrf) && request.headers['x-xsrftoken'] === this.#hubXsrf;
      return good && cookies.includes(this.#hubCookie)
        ? handler(request, response, url)
        : status(response, 403);
    };
  }

  #login: Handler = (request, response, url) => {
    const cookies = [`jupyterhub-hub-login=${this.#hubCookie}; HttpOnly; Path=/nb/hub/`];
    // Only a page load is given a token, and in the middle of the chain at that.
    if (request.headers['sec-fetch-mode'] === 'navigate')
      cookies.push(`_xsrf=${this.#hubXsrf}; Path=/nb/hub/`);
    response.setHeader('set-cookie', cookies);
    redirect(response, url.searchParams.get('next') ?? '/nb/hub/home');
  };

  #user: Handler = (_, response) => {
    const server = { name: '', ready: this.pending === null, pending: this.pending, started: null };
    json(response, 200, { name: this.username, servers: this.lab || this.pending ? { '': server } : {} });
  };

  #stopLab =
    (caller: string): Handler =>
    (_, response) => {
      this.#command('stop', caller);
      this.pending = 'stop';
      setTimeout(() => {
        this.cull();
        this.pending = null;
      }, this.stopMs);
      status(response, 202);
    };

  #spawn =
    (caller: string): Handler =>
    async (request, response) => {
      if (this.lab || this.pending) return status(response, 400);
      let body = '';
      for await (const chunk of request) body += String(chunk);
      this.forms.push(Object.fromEntries(new URLSearchParams(body)));
      this.pending = 'spawn';
      setTimeout(() => {
        // Told to stop meanwhile.
        if (this.pending !== 'spawn') return;
        this.pending = null;
        this.#lastSpawnError = this.spawnError;
        if (this.spawnError !== undefined) return;
        this.lab = this.#newLab();
        this.onSpawned(this.lab);
        this.#command('spawn', caller);
      }, this.spawnMs);
      redirect(response, `/nb/hub/spawn-pending/${this.username}`);
    };

  #command(action: LabCommand['action'], caller: string): void {
    this.#onCommand({ atMs: Date.now(), username: this.username, lab: this.lab?.id, caller, action });
  }

  #progress: Handler = async (_, response) => {
    if (!this.pending && !this.lab && !this.#lastSpawnError) return status(response, 400);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (event: object) => response.write(`data: ${JSON.stringify(event)}\n\n`);
    for (const [index, event] of this.events.entries()) {
      if (index === this.cutProgressAfter) {
        this.cutProgressAfter = undefined;
        // Whatever was written must be on its way before the connection is cut.
        return void setTimeout(() => response.destroy(), 10);
      }
      send(event);
    }
    response.write('\n\n');
    while (this.pending === 'spawn') await new Promise((resolve) => setTimeout(resolve, 5));
    if (this.lab) send({ progress: 100, ready: true, message: 'Server ready', url: '/' });
    else send({ progress: 100, failed: true, message: `Spawn failed: ${this.#lastSpawnError}` });
    response.end();
  };

  #authorize: Handler = (_, response, url) =>
    redirect(
      response,
      `/nb/user/${this.username}/oauth_callback?code=c&state=${url.searchParams.get('state')}`,
    );
}
