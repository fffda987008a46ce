import { fetch, request, type Agent, type RequestInit, type Response } from 'undici';
import { isAllowedUrl, portOf, type AllowedHosts } from '../../../lib/outgoing/allowed-hosts.ts';
import { allowedAddresses, guardedAgent, OutgoingRefusedError, type Resolve } from './guarded-agent.ts';

export interface OutgoingMessage {
  headers: Record<string, string>;
  body: string;
  /** Bounds all of it. */
  signal: AbortSignal;
}

export interface OutgoingAnswer {
  status: number;
  /** As it was sent. */
  retryAfter: string | undefined;
}

/** Of an answer nothing but its head is wanted; so much is read of the rest, that the connection can be used again. */
const MAX_ANSWER_BYTES = 4 * 1024;

/**
 * Calls that callers ask the service to make, so that they reach what the service's operator allows and nothing inside
 * the platform: https to the hosts of an allow-list, by guarded connections, and no redirects.
 */
export class Outgoing {
  readonly #hosts: AllowedHosts;
  readonly #agent: Agent;
  readonly #resolve: Resolve | undefined;

  /** @param resolve stands for the system's resolver */
  constructor(hosts: AllowedHosts, resolve?: Resolve) {
    this.#hosts = hosts;
    this.#resolve = resolve;
    this.#agent = guardedAgent(hosts, resolve);
  }

  /**
   * As the standard's fetch, which libraries ask with.
   *
   * @throws {OutgoingRefusedError} or what kept it from being answered
   */
  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    this.#assertAllowed(new URL(url));
    return fetch(url, { ...init, redirect: 'error', dispatcher: this.#agent });
  };

  /**
   * Where the host of a URL may be connected to, by who does that by other means.
   *
   * @throws {OutgoingRefusedError} or what kept it from being found
   */
  async addressesOf(url: URL): Promise<{ port: number; addresses: string[] }> {
    this.#assertAllowed(url);
    const port = portOf(url);
    return { port, addresses: await allowedAddresses(this.#hosts, url.hostname, port, this.#resolve) };
  }

  /**
   * Sends a message and forgets what is answered but for its status.
   *
   * @throws {OutgoingRefusedError} or what kept the message from being answered
   */
  async post(url: string, { headers, body, signal }: OutgoingMessage): Promise<OutgoingAnswer> {
    this.#assertAllowed(new URL(url));
    const answer = await request(url, { method: 'POST', headers, body, signal, dispatcher: this.#agent });
    await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => undefined);
    return { status: answer.statusCode, retryAfter: [answer.headers['retry-after']].flat()[0] };
  }

  #assertAllowed(url: URL): void {
    // It may have been allowed when it was asked for.
    if (!isAllowedUrl(this.#hosts, url))
      throw new OutgoingRefusedError('The service does not call this host any more');
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
