/**
 * What GitHub offers a job beside the runner, over real HTTP: OIDC tokens, and the artifact service with the blob storage
 * behind it. The shapes are those of @actions/core's and @actions/artifact's own requests.
 */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { json, status } from '../../support/fake-http.ts';

export const ISSUER = 'https://token.actions.githubusercontent.com';
const REQUEST_TOKEN = 'runner-request-token';
const SERVICE = '/twirp/github.actions.results.api.v1.ArtifactService';

export class FakeGithub implements AsyncDisposable {
  /** By which its OIDC tokens are verified. */
  readonly publicKey: KeyObject;
  /** Set to have uploads refused with this status. */
  refuseArtifacts: number | undefined;
  readonly #privateKey: KeyObject;
  readonly #server: Server;
  readonly #blocks = new Map<string, Buffer>();
  readonly #blobs = new Map<string, Buffer>();
  readonly #finalized = new Set<string>();

  private constructor() {
    ({ publicKey: this.publicKey, privateKey: this.#privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
    }));
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<FakeGithub> {
    const github = new FakeGithub();
    github.#server.listen(0, '127.0.0.1');
    await once(github.#server, 'listening');
    return github;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What a job has in its environment to upload artifacts. */
  get artifactEnv(): Record<string, string> {
    const scp = 'Actions.GenericRead:1:2 Actions.Results:run-id:job-id';
    return { ACTIONS_RESULTS_URL: `${this.url}/`, ACTIONS_RUNTIME_TOKEN: this.#jwt({ scp }) };
  }

  /** What a job with `id-token: write` has. */
  get oidcEnv(): Record<string, string> {
    return {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${this.url}/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: REQUEST_TOKEN,
    };
  }

  /** The files of an artifact that was uploaded to its end, by their paths. */
  artifact(name: string): Record<string, string> {
    const blob = this.#blobs.get(name);
    if (!blob || !this.#finalized.has(name)) throw new Error(`there is no artifact ${name}`);
    const dir = mkdtempSync(join(tmpdir(), 'noteburst-zip-'));
    try {
      writeFileSync(join(dir, 'a.zip'), blob);
      const read =
        'import sys, json, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(json.dumps({n: z.read(n).decode() for n in z.namelist()}))';
      const files = execFileSync('python3', ['-c', read, join(dir, 'a.zip')], { encoding: 'utf8' });
      return JSON.parse(files) as Record<string, string>;
    } finally {
      rmSync(dir, { recursive: true });
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.url);
    const body = await buffer(request);
    if (url.pathname === '/idtoken') this.#idToken(request, url, response);
    else if (url.pathname.startsWith('/blob/')) this.#putBlob(url, body, response);
    else if (this.refuseArtifacts !== undefined) json(response, this.refuseArtifacts, { msg: 'not now' });
    else if (url.pathname === `${SERVICE}/CreateArtifact`) {
      const { name } = JSON.parse(body.toString()) as { name: string };
      const upload = `${this.url}/blob/${encodeURIComponent(name)}?se=2030-01-01&sig=signature-of-storage`;
      json(response, 200, { ok: true, signed_upload_url: upload });
    } else if (url.pathname === `${SERVICE}/FinalizeArtifact`) {
      const { name, size } = JSON.parse(body.toString()) as { name: string; size: string };
      const isWhole = this.#blobs.get(name)?.length === Number(size);
      if (isWhole) this.#finalized.add(name);
      json(response, 200, { ok: isWhole, artifact_id: '4711' });
    } else status(response, 404);
  }

  #idToken(request: IncomingMessage, url: URL, response: ServerResponse): void {
    if (request.headers.authorization !== `Bearer ${REQUEST_TOKEN}`) return status(response, 401);
    const now = Math.floor(Date.now() / 1_000);
    const aud = url.searchParams.get('audience') ?? 'https://github.com/example';
    const sub = 'repo:example/notebooks:ref:refs/heads/main';
    const claims = { iss: ISSUER, aud, sub, repository: 'example/notebooks', iat: now, exp: now + 300 };
    const value = this.#jwt(claims);
    json(response, 200, { count: value.length, value });
  }

  /** Azure's Put Block and Put Block List. */
  #putBlob(url: URL, body: Buffer, response: ServerResponse): void {
    const name = decodeURIComponent(url.pathname.slice('/blob/'.length));
    const step = url.searchParams.get('comp');
    if (step === 'block') this.#blocks.set(url.searchParams.get('blockid') ?? '', body);
    else if (step === 'blocklist') {
      const ids = [...body.toString().matchAll(/<Latest>(.*?)<\/Latest>/g)].map(([, id]) => id as string);
      this.#blobs.set(name, Buffer.concat(ids.map((id) => this.#blocks.get(id) ?? Buffer.alloc(0))));
    } else return status(response, 400);
    return status(response, 201);
  }

  #jwt(claims: object): string {
    const [header, payload] = [{ alg: 'RS256', typ: 'JWT' }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign('RSA-SHA256', Buffer.from(`${header}.${payload}`), this.#privateKey);
    return `${header}.${payload}.${signature.toString('base64url')}`;
  }
}
