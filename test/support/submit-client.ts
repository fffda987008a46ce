import type { Pool } from '../../lib/contract/pool.ts';
import { identity, MemoryParts, serve, type TestServer } from './function-server.ts';

type Body = NonNullable<RequestInit['body']>;

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: { detail?: { type: string; msg: string; loc?: unknown[] }[] } & Record<string, unknown>;
}

/** A submit function whose queue and store are in memory, and what calls it. */
export class SubmitClient implements AsyncDisposable {
  readonly parts: MemoryParts;
  readonly server: TestServer;

  private constructor(parts: MemoryParts, server: TestServer) {
    this.parts = parts;
    this.server = server;
  }

  static async start(otherPools: readonly Pool[] = []): Promise<SubmitClient> {
    const parts = new MemoryParts(otherPools);
    return new SubmitClient(parts, await serve(parts.submit()));
  }

  async send(method: string, path: string, headers: Record<string, string>, body?: Body): Promise<Answer> {
    const response = await fetch(this.server.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const json = text === '' ? {} : JSON.parse(text);
    return { status: response.status, headers: response.headers, text, json };
  }

  /** Posts a text, of whatever content, as alice. */
  submitText(body: Body, headers: Record<string, string> = {}): Promise<Answer> {
    const all = { ...identity('alice'), 'Content-Type': 'application/json', ...headers };
    return this.send('POST', '/noteburst/v1/notebooks/', all, body);
  }

  submit(body: unknown): Promise<Answer> {
    return this.submitText(JSON.stringify(body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}
