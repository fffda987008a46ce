import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import type { Stack } from './stack.ts';

/** One address for a stack's functions, where a token stands for one user: what the platform's ingress is to callers. */
export class ServiceProxy implements AsyncDisposable {
  readonly token = 'gt-suites.canary';
  /** What was asked for, oldest first. */
  readonly asked: { method: string; path: string; key: string | undefined }[] = [];
  readonly #stack: Stack;
  readonly #server = createServer((request, response) => {
    // Callers that go break off what they asked for.
    this.#pass(request, response).catch(() => response.destroy());
  });

  private constructor(stack: Stack) {
    this.#stack = stack;
  }

  static async start(stack: Stack): Promise<ServiceProxy> {
    const proxy = new ServiceProxy(stack);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request;
    if (headers.authorization !== `Bearer ${this.token}`) return void response.writeHead(401).end();
    this.asked.push({ method, path, key: headers['idempotency-key'] as string | undefined });
    const name = /^\/v1\/notebooks\/?(\?|$)/.test(path) ? 'submit' : 'status';
    const { host: _, connection: _connection, 'content-length': _length, ...passed } = headers;
    const body = method === 'POST' ? await buffer(request) : undefined;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const init = {
      method,
      headers: passed as Record<string, string>,
      signal: gone.signal,
      ...(body && { body }),
    };
    const answer = await this.#stack.fetch(name, path, init, 'suites');
    const told = Object.fromEntries(
      [...answer.headers].filter(
        ([header]) => !/^(content-(length|encoding)|transfer-encoding|connection)$/.test(header),
      ),
    );
    response.writeHead(answer.status, told);
    if (answer.body) await pipeline(answer.body, response);
    else response.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
