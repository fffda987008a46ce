import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json, redirect, secret, status } from './fake-http.ts';

interface FakeSession {
  id: string;
  path: string;
  name: string;
  type: string;
  kernel: { id: string; name: string };
}

/** The REST half of a JupyterLab: its OAuth with the hub, its own XSRF space, sessions and kernels. */
export class FakeLab {
  started = new Date().toISOString();
  /** between a kernel's start and its session's, as with a slow machine */
  startDelayMs = 0;
  readonly kernels = new Map<string, { id: string; name: string }>();
  readonly sessions = new Map<string, FakeSession>();
  readonly interrupted: string[] = [];
  readonly #username: string;
  #cookie = secret();
  #xsrf = secret();

  constructor(username: string) {
    this.#username = username;
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
  handler(path: string): (request: IncomingMessage, response: ServerResponse) => void | Promise<void> {
    if (path === 'lab') return (request, response) => this.#page(request, response);
    if (path === 'oauth_callback') return (_, response) => this.#callback(response);
    return async (request, response) => {
      const cookies = request.headers.cookie ?? '';
      const good = cookies.includes(this.#xsrf) && request.headers['x-xsrftoken'] === this.#xsrf;
      if (!good || !cookies.includes(this.#cookie)) return status(response, 403);
      let body = '';
      for await (const chunk of request) body += String(chunk);
      this.#api(`${request.method} ${path}`, body, response);
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

  #api(call: string, body: string, response: ServerResponse): void {
    const id = call.split('/')[2] ?? '';
    if (call === 'GET api/status') {
      return json(response, 200, {
        started: this.started,
        last_activity: this.started,
        connections: 0,
        kernels: this.kernels.size,
      });
    }
    if (call === 'GET api/kernelspecs')
      return json(response, 200, { default: 'python3', kernelspecs: { python3: {}, lsst: {} } });
    if (call === 'GET api/sessions') return json(response, 200, [...this.sessions.values()]);
    if (call === 'GET api/kernels') return json(response, 200, [...this.kernels.values()]);
    if (call === 'POST api/sessions')
      return void this.#startSession(JSON.parse(body) as FakeSession, response);
    if (call.startsWith('DELETE api/sessions/')) {
      const session = this.sessions.get(id);
      if (session) this.kernels.delete(session.kernel.id);
      return status(response, this.sessions.delete(id) ? 204 : 404);
    }
    if (call.startsWith('DELETE api/kernels/')) return status(response, this.kernels.delete(id) ? 204 : 404);
    if (call.endsWith('/interrupt')) this.interrupted.push(id);
    status(response, call.endsWith('/interrupt') ? 204 : 404);
  }

  async #startSession(wanted: FakeSession, response: ServerResponse): Promise<void> {
    const { path, type } = wanted;
    const { name } = wanted.kernel;
    if (!['python3', 'lsst'].includes(name)) return json(response, 501, { message: 'no such kernel' });
    const existing = [...this.sessions.values()].find((session) => session.path === path);
    if (existing) return json(response, 201, existing);
    const kernel = this.addKernel(name);
    if (this.startDelayMs > 0) await sleep(this.startDelayMs);
    const session = { id: randomUUID(), path, name: path, type, kernel };
    this.sessions.set(session.id, session);
    json(response, 201, session);
  }
}
