import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { identity, type TOKENS } from '../../support/function-server.ts';
import type { Functions } from '../../support/functions-on.ts';

export interface Ingress {
  url: string;
  /** Whose requests it passes on from now on; undefined: nobody's. */
  user: keyof typeof TOKENS | undefined;
}

/** Both functions at one address, as a browser finds them; every request is the user's, as Gafaelfawr says. */
export async function ingressOf(functions: Functions, stack: AsyncDisposableStack): Promise<Ingress> {
  const ingress: Ingress = { url: '', user: 'alice' };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const isSubmit = /^\/noteburst\/v1\/notebooks\/?(?:\?|$)/.test(path);
    const target = new URL(path, (isSubmit ? functions.submit : functions.status).url);
    const headers = { ...request.headers, ...(ingress.user ? identity(ingress.user) : {}) };
    const forwarded = httpRequest(target, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.once('error', () => response.destroy());
    response.once('close', () => forwarded.destroy());
    request.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  ingress.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return ingress;
}
