/** A platform's token exchange, as docs/ci.md asks for it: a token of the platform for an OIDC token of GitHub's. */
import { verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { json } from '../../support/fake-http.ts';
import { ISSUER, type FakeGithub } from './github.ts';

interface Claims {
  iss: string;
  aud: string;
  exp: number;
  repository: string;
}

export class TokenExchange implements AsyncDisposable {
  /** How often it answers 503 before it serves. */
  away = 0;
  /** The repositories that it trusts. */
  repositories = ['example/notebooks'];
  readonly #github: FakeGithub;
  readonly #token: string;
  readonly #audience: string;
  readonly #server: Server;

  private constructor(github: FakeGithub, token: string, audience: string) {
    this.#github = github;
    this.#token = token;
    this.#audience = audience;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /**
   * @param token what it gives
   * @param audience for whom it takes OIDC tokens
   */
  static async start(github: FakeGithub, token: string, audience: string): Promise<TokenExchange> {
    const exchange = new TokenExchange(github, token, audience);
    exchange.#server.listen(0, '127.0.0.1');
    await once(exchange.#server, 'listening');
    return exchange;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    if (this.away-- > 0) return json(response, 503, {});
    const refuse = (error: string, description: string) =>
      json(response, 400, { error, error_description: description });
    const isExchange =
      request.method === 'POST' &&
      request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') &&
      form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:token-exchange' &&
      form.get('subject_token_type') === 'urn:ietf:params:oauth:token-type:id_token';
    if (!isExchange) return refuse('invalid_request', 'not a token exchange');
    if (form.get('scope') !== 'exec:notebook') return refuse('invalid_scope', 'only exec:notebook is given');
    const claims = this.#claims(form.get('subject_token') ?? '');
    if (!claims) return refuse('invalid_request', 'the subject token is not valid');
    if (!this.repositories.includes(claims.repository)) {
      return refuse('invalid_target', `${claims.repository} may not run notebooks`);
    }
    return json(response, 200, {
      access_token: this.#token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 3_600,
    });
  }

  #claims(token: string): Claims | undefined {
    const [header = '', payload = '', signature = ''] = token.split('.');
    const isGithubs = verify(
      'RSA-SHA256',
      Buffer.from(`${header}.${payload}`),
      this.#github.publicKey,
      Buffer.from(signature, 'base64url'),
    );
    if (!isGithubs) return undefined;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
    const isForUs = claims.iss === ISSUER && claims.aud === this.#audience && claims.exp * 1_000 > Date.now();
    return isForUs ? claims : undefined;
  }
}
