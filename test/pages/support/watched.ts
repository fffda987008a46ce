import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserContext } from 'playwright-core';

/** Somebody else's server: whatever comes here has left. */
export class Elsewhere {
  url = '';
  /** The first part of each path that was asked for. */
  readonly asked = new Set<string>();
  /** With those that asked for nothing. */
  connections = 0;

  static async start(stack: AsyncDisposableStack): Promise<Elsewhere> {
    const elsewhere = new Elsewhere();
    const server = createServer((request, response) => {
      elsewhere.asked.add(request.url?.split('/')[1] ?? '');
      const name = request.url?.split('/')[1] ?? '';
      response.writeHead(200, {
        'Content-Type': request.url?.endsWith('.js') ? 'text/javascript' : 'text/plain',
      });
      response.end(request.url?.endsWith('.js') ? `canary('${name}')` : '');
    });
    server.on('connection', () => elsewhere.connections++);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stack.defer(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    elsewhere.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return elsewhere;
  }
}

/** What happened in a browser that should not have. */
export interface Watched {
  /** The names of payloads whose script ran, and the texts of dialogs. */
  ran: Set<string>;
  /** Addresses of other origins than the allowed one that were asked for. */
  left: Set<string>;
}

/** Watches every frame of every page that is opened in the context from now on. */
export async function watched(context: BrowserContext, origin: string): Promise<Watched> {
  const found: Watched = { ran: new Set(), left: new Set() };
  await context.exposeFunction('canary', (name: string) => void found.ran.add(name));
  context.on('dialog', (dialog) => {
    found.ran.add(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  context.on('request', (request) => {
    if (/^https?:/.test(request.url()) && new URL(request.url()).origin !== origin)
      found.left.add(request.url());
  });
  return found;
}
