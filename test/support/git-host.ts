import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import type { CommitRef } from '../../workers/courier/repositories/clones.ts';
import { Repositories, type RepositoriesOptions } from '../../workers/courier/repositories/repositories.ts';
import { GitRepository } from './git-repository.ts';
import type { PrivateCa } from './tls-proxy.ts';

/** A host of repositories on https, on loopback, and what a courier has of them. */
export class GitHost implements AsyncDisposable {
  /** What was asked for, and with which right. */
  readonly asked: { url: string; authorization: string | undefined }[] = [];
  /** The courier's folder. */
  readonly cache = mkdtempSync(join(tmpdir(), 'noteburst-cache-'));
  connections = 0;
  /** A test may answer in its place. */
  serve = (request: IncomingMessage, response: ServerResponse) => this.answer(request, response);
  readonly #ca: PrivateCa;
  readonly #server: Server;
  readonly #repositories = new Map<string, GitRepository>();

  private constructor(ca: PrivateCa) {
    this.#ca = ca;
    this.#server = createServer(ca.server, (request, response) => {
      this.asked.push({ url: request.url ?? '', authorization: request.headers.authorization });
      this.serve(request, response);
    });
    this.#server.on('connection', () => (this.connections += 1)).on('tlsClientError', () => undefined);
  }

  static async start(ca: PrivateCa): Promise<GitHost> {
    const host = new GitHost(ca);
    host.#server.listen(0, '127.0.0.1');
    await once(host.#server, 'listening');
    return host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A repository on it, new. */
  repository(name: string): GitRepository {
    const repository = new GitRepository(name);
    this.#repositories.set(name, repository);
    return repository;
  }

  /** As a host does that is well. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const [, name = ''] = /^\/([^/]+\/[^/]+)\.git\//.exec(request.url ?? '') ?? [];
    const repository = this.#repositories.get(name);
    if (repository) repository.serve(request, response);
    else response.writeHead(404).end();
  }

  /** What a courier does with it; each call stands for a courier of its own, one after the other. */
  repositories(options: Partial<RepositoriesOptions> & { isInternal?: boolean } = {}): Repositories {
    const { isInternal = true, ...more } = options;
    return new Repositories({
      outgoing: new Outgoing([{ name: 'localhost', port: this.port, isInternal }]),
      dir: this.cache,
      maxBytes: 4 * 2 ** 20,
      timeoutMs: 20_000,
      limits: { files: 100, bytes: 2 ** 20 },
      caPath: this.#ca.path,
      ...more,
    });
  }

  ref({ name }: GitRepository, commit: string, more: Partial<CommitRef> = {}): CommitRef {
    return { repository: name, url: new URL(`https://localhost:${this.port}/${name}.git`), commit, ...more };
  }

  /** What is in the courier's folder of clones, or of what was read out of them. */
  left(of: 'clones' | 'checkouts'): string[] {
    return readdirSync(join(this.cache, of));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const repository of this.#repositories.values()) repository[Symbol.dispose]();
    rmSync(this.cache, { recursive: true, force: true });
  }
}

/** Files below a folder, by their paths in it. */
export function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(dir.length + 1))
    .toSorted();
}

export const isNotebook = (path: string): boolean => path.endsWith('.ipynb');
