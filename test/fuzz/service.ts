import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOrigin, type Upstreams } from '../../platform/origin/origin.ts';
import { serialize, TokenStore } from '../../platform/origin/token-store.ts';
import { Stack } from '../support/stack.ts';

/** Both functions as processes on the run's Redis, behind the platform's ingress; nobody takes the jobs. */
export class FuzzedService implements AsyncDisposable {
  readonly url: string;
  readonly stack: Stack;
  readonly #tokens: TokenStore;
  readonly #resources: AsyncDisposableStack;

  private constructor(url: string, stack: Stack, tokens: TokenStore, resources: AsyncDisposableStack) {
    this.url = url;
    this.stack = stack;
    this.#tokens = tokens;
    this.#resources = resources;
  }

  /** @param redisUrl where both keep their jobs */
  static async start(redisUrl: string): Promise<FuzzedService> {
    await using resources = new AsyncDisposableStack();
    const scratchDir = mkdtempSync(join(tmpdir(), 'noteburst-fuzz-'));
    resources.defer(() => rmSync(scratchDir, { recursive: true, force: true }));
    const tokens = new TokenStore();
    const upstreams: Upstreams = {};
    const origin = await startOrigin(tokens, upstreams);
    resources.defer(() => origin.close());
    const admin = tokens.create({ username: 'admin', tokenType: 'service', scopes: ['admin:token'] });
    const stack = resources.use(
      await Stack.start({
        on: {
          originUrl: origin.url,
          gafaelfawrUrl: `${origin.url}/auth/api/v1`,
          repertoireUrl: `${origin.url}/repertoire`,
          redisUrl,
          adminToken: serialize(admin),
          scratchDir,
        },
        // Streams of jobs that nobody runs would last.
        functionEnv: {
          NOTEBURST_MAX_JOBS_PER_CALLER: '1000000',
          NOTEBURST_STREAM_MAX_SECONDS: '0.5',
          NOTEBURST_CALLBACK_ALLOWED_HOSTS: 'hooks.example.org',
        },
      }),
    );
    for (const name of ['submit', 'status'] as const) upstreams[name] = { url: stack.url(name) };
    return new FuzzedService(origin.url, stack, tokens, resources.move());
  }

  /** A token as a person has it. */
  tokenOf(username: string): string {
    return serialize(this.#tokens.create({ username, tokenType: 'user', scopes: ['exec:notebook'] }));
  }

  /** The headers by which the ingress tells a function who calls. */
  identityOf(username: string): Record<string, string> {
    return { 'X-Auth-Request-User': username, 'X-Auth-Request-Token': this.tokenOf(username) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}
