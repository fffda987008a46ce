import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import type { PrivateCa } from './tls-proxy.ts';

/** A message that a receiver took for genuine. */
export interface Received {
  id: string;
  message: { type: string; timestamp: string; data: NotebookResponse };
}

type Answering = (response: ServerResponse, request: IncomingMessage) => void;

/** Whoever is told of the ends of jobs: https with a certificate of a private CA, at its name and address. */
export class Receiver implements AsyncDisposable {
  readonly secret = `whsec_${Buffer.from('not a secret, but an example').toString('base64')}`;
  /** Every message whose signature was right, oldest first. */
  readonly received: Received[] = [];
  /** What was wrong with the others. */
  readonly refused: unknown[] = [];
  /** How it answers from now on. */
  answer: Answering = (response) => void response.writeHead(204).end();
  readonly #ca: PrivateCa;
  #server: Server | undefined;
  #port = 0;

  constructor(ca: PrivateCa) {
    this.#ca = ca;
  }

  /** @param ca in its process, the courier must trust it */
  static async start(ca: PrivateCa): Promise<Receiver> {
    const receiver = new Receiver(ca);
    await receiver.up();
    return receiver;
  }

  get url(): string {
    return `https://${this.#ca.name}:${this.#port}/hooks?key=query-canary`;
  }

  /** As an entry of an allow-list. */
  get host(): string {
    return `internal:${this.#ca.name}:${this.#port}`;
  }

  /** What a submission asks for that is to be told here. */
  get callback(): { url: string; secret: string } {
    return { url: this.url, secret: this.secret };
  }

  /** Listens, at the port it had before. */
  async up(): Promise<void> {
    const server = createServer(this.#ca.server, (request, response) => void this.#take(request, response));
    server.on('tlsClientError', () => undefined);
    server.listen(this.#port, this.#ca.address);
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Is away: connections are refused. */
  async down(): Promise<void> {
    const server = this.#server;
    if (!server?.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** Waits until so many were received. @returns all of them */
  async until(count: number, timeout = 20_000): Promise<Received[]> {
    await vi.waitUntil(() => this.received.length >= count, { timeout, interval: 10 });
    return this.received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await text(request);
      const headers = request.headers as Record<string, string>;
      const message = new Webhook(this.secret).verify(body, headers) as Received['message'];
      this.received.push({ id: headers['webhook-id'] as string, message });
    } catch (error) {
      this.refused.push(error);
    }
    this.answer(response, request);
  }
}
