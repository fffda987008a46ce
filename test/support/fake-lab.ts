import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { SUBPROTOCOL } from '../../workers/executor/kernel/websocket-codec.ts';
import { json, redirect, secret, status } from './fake-http.ts';
import { FakePythonKernel } from './fake-kernel.ts';

interface FakeSession {
  id: string;
  path: string;
  name: string;
  type: string;
  kernel: { id: string; name: string };
}

/** What somebody did to a lab, and that had an effect. */
export interface LabCommand {
  atMs: number;
  username: string;
  /** one server process; absent where there was none yet or any more */
  lab: string | undefined;
  /** names the token that it was done with */
  caller: string;
  action: 'spawn' | 'stop' | 'start-session' | 'rename-session' | 'delete' | 'interrupt' | 'execute';
  /** of the session it was done to, as its path says */
  path?: string;
}

/** A JupyterLab: its OAuth with the hub, its own XSRF space, sessions, and kernels that run a little Python. */
export class FakeLab {
  readonly id = randomUUID();
  started = new Date().toISOString();
  /** between a kernel's start and its session's, as with a slow machine */
  startDelayMs = 0;
  readonly kernels = new Map<string, { id: string; name: string }>();
  readonly sessions = new Map<string, FakeSession>();
  readonly interrupted: string[] = [];
  readonly #username: string;
  readonly #onCommand: (command: LabCommand) => void;
  readonly #processes = new Map<string, FakePythonKernel>();
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });
  #cookie = secret();
  #xsrf = secret();

  constructor(username: string, onCommand: (command: LabCommand) => void = () => undefined) {
    this.#username = username;
    this.#onCommand = onCommand;
  }

  /** The server ends, and its kernels with it. */
  close(): void {
    for (const id of this.kernels.keys()) this.#endKernel(id);
    this.sessions.clear();
  }

  /** A kernel's process ends by itself. */
  killKernel(id: string): void {
    this.#processes.get(id)?.die();
  }

  /** @param path below user/{username}/ */
  upgrade(path: string, request: IncomingMessage, socket: Duplex, head: Buffer, caller: string): void {
    const id = /^api\/kernels\/([^/]+)\/channels$/.exec(path)?.[1] ?? '';
    const known = request.headers.cookie?.includes(this.#cookie);
    if (!known || !this.kernels.has(id)) {
      socket.end(`HTTP/1.1 ${known ? 404 : 403} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const process =
      this.#processes.get(id) ??
      new FakePythonKernel(() => this.#command('execute', caller, this.#pathOf(id)));
    this.#processes.set(id, process);
    this.#sockets.handleUpgrade(request, socket, head, (opened) => process.attach(opened));
  }

  #endKernel(id: string): boolean {
    this.#processes.get(id)?.close();
    this.#processes.delete(id);
    return this.kernels.delete(id);
  }

  #pathOf(kernelId: string): string | undefined {
    return [...this.sessions.values()].find(({ kernel }) => kernel.id === kernelId)?.path;
  }

  #command(action: LabCommand['action'], caller: string, path: string | undefined): void {
    const where = { username: this.#username, lab: this.id, caller };
    this.#onCommand({ atMs: Date.now(), ...where, action, ...(path !== undefined && { path }) });
  }

  expireCookies(): void {
    [this.#cookie, this.#xsrf] = [secret(), secret()];
  }

  /** A session as a predecessor may have left it; its kernel is listed too. */
  addSession(path: string, type = 'console', name = 'python3'): FakeSession {
    const kernel = this.addKernel(name);
    const session = { id: randomUUID(), path, name: path, type, kernel };
    this.sessions.set(session.id, session);
    return session;
  }

  addKernel(name = 'python3'): { id: string; name: string } {
    const kernel = { id: randomUUID(), name };
    this.kernels.set(kernel.id, kernel);
    return kernel;
  }

  /** @param path below user/{username}/ */
  handler(
    path: string,
    caller = '',
  ): (request: IncomingMessage, response: ServerResponse) => void | Promise<void> {
    if (path === 'lab') return (request, response) => this.#page(request, response);
    if (path === 'oauth_callback') return (_, response) => this.#callback(response);
    return async (request, response) => {
      const cookies = request.headers.cookie ?? '';
      const good = cookies.includes(this.#xsrf) && request.headers['x-xsrftoken'] === this.#xsrf;
      if (!good || !cookies.includes(this.#cookie)) return status(response, 403);
      let body = '';
      for await (const chunk of request) body += String(chunk);
      await this.#api(`${request.method} ${path}`, body, response, caller);
    };
  }

  #page(request: IncomingMessage, response: ServerResponse): void {
    if (!request.headers.cookie?.includes(this.#cookie)) {
      return redirect(response, `/nb/hub/api/oauth2/authorize?client_id=x&state=${secret()}`);
    }
    if (request.headers['sec-fetch-mode'] === 'navigate') {
      response.setHeader('set-cookie', `_xsrf=${this.#xsrf}; Path=/nb/user/${this.#username}/`);
    }
    response.end('<p>lab</p>');
  }

  #callback(response: ServerResponse): void {
    response.setHeader(
      'set-cookie',
      `jupyterhub-user=${this.#cookie}; Path=/nb/user/${this.#username}/; HttpOnly`,
    );
    redirect(response, `/nb/user/${this.#username}/lab`);
  }

  async #api(call: string, body: string, response: ServerResponse, caller: string): Promise<void> {
    const id = call.split('/')[2] ?? '';
    if (call === 'GET api/status') {
      const { started } = this;
      return json(response, 200, {
        started,
        last_activity: started,
        connections: 0,
        kernels: this.kernels.size,
      });
    }
    if (call === 'GET api/kernelspecs')
      return json(response, 200, { default: 'python3', kernelspecs: { python3: {}, lsst: {} } });
    if (call === 'GET api/sessions') return json(response, 200, [...this.sessions.values()]);
    if (call === 'GET api/kernels') return json(response, 200, [...this.kernels.values()]);
    if (call === 'POST api/sessions')
      return this.#startSession(JSON.parse(body) as FakeSession, response, caller);
    if (call.startsWith('PATCH api/sessions/')) {
      const session = this.sessions.get(id);
      if (!session) return status(response, 404);
      Object.assign(session, JSON.parse(body));
      this.#command('rename-session', caller, session.path);
      return json(response, 200, session);
    }
    if (call.startsWith('DELETE api/sessions/')) {
      const session = this.sessions.get(id);
      if (!session) return status(response, 404);
      this.#endKernel(session.kernel.id);
      this.sessions.delete(id);
      this.#command('delete', caller, session.path);
      return status(response, 204);
    }
    if (call.startsWith('DELETE api/kernels/')) {
      const path = this.#pathOf(id);
      const found = this.#endKernel(id);
      if (found) this.#command('delete', caller, path);
      return status(response, found ? 204 : 404);
    }
    if (!call.endsWith('/interrupt')) return status(response, 404);
    this.interrupted.push(id);
    this.#processes.get(id)?.interrupt();
    this.#command('interrupt', caller, this.#pathOf(id));
    status(response, 204);
  }

  async #startSession(wanted: FakeSession, response: ServerResponse, caller: string): Promise<void> {
    const { path, type } = wanted;
    const { name } = wanted.kernel;
    if (!['python3', 'lsst'].includes(name)) return json(response, 501, { message: 'no such kernel' });
    const existing = [...this.sessions.values()].find((session) => session.path === path);
    if (existing) return json(response, 201, existing);
    const kernel = this.addKernel(name);
    if (this.startDelayMs > 0) await sleep(this.startDelayMs);
    const session = { id: randomUUID(), path, name: path, type, kernel };
    this.sessions.set(session.id, session);
    this.#command('start-session', caller, path);
    json(response, 201, session);
  }
}
