import { CookieJar } from 'tough-cookie';
import { Agent, type Dispatcher } from 'undici';
import { JupyterUnreachableError } from './errors.ts';
import { codeOf, modeAndBody, type Payload } from './http-message.ts';
import { UrlSpace } from './url-space.ts';

/** One for all requests: JupyterHub's XSRF token for a not yet known visitor is a hash of address and user agent. */
const USER_AGENT = 'noteburst-executor';
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** The server closed a kept-alive connection just as we used it; nothing was wrong with the request. */
const STALE_CONNECTION = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

export interface BrowserOptions {
  /** Nublado's base, for example https://data.example.org/nb */
  readonly hubUrl: string;
  readonly username: string;
  /** the bot's Gafaelfawr token; the ingress wants it with every request and takes it off */
  readonly token: string;
  /** for each request that names no other limit; default 30 s */
  readonly timeoutMs?: number | undefined;
  /** called before each request is sent; throws when we may not command this lab any more */
  readonly guard?: (() => void) | undefined;
}

export interface SendOptions extends Payload {
  readonly signal: AbortSignal;
  /** until the whole answer is there, redirects apart; 0: no limit */
  readonly timeoutMs?: number | undefined;
  /** the longest silence within an answer; default: the limit above */
  readonly idleMs?: number;
  /** a POST that may be sent twice */
  readonly idempotent?: boolean;
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
export type Answer = Dispatcher.ResponseData;

/**
 * One request, one answer, as a browser does it: with the cookies that belong to the URL, those of the answer kept,
 * and XSRF tokens sent along. The caller has to see to it that the URL is the hub's or the lab's.
 */
export class Browser {
  readonly space: UrlSpace;
  readonly #agent = new Agent({
    // Sessions are made on a job's path, so connections are kept; the servers' own shorter limits are honoured.
    keepAliveTimeout: 30_000,
    allowH2: false,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  readonly #timeoutMs: number;
  readonly #guard: () => void;
  readonly #token: string;
  #jar = newJar();

  constructor(options: BrowserOptions) {
    this.space = new UrlSpace(options.hubUrl, options.username);
    this.#token = options.token;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#guard = options.guard ?? (() => {});
  }

  /** @throws JupyterUnreachableError, or the signal's reason */
  async request(method: Method, url: URL, options: SendOptions): Promise<Answer> {
    const limitMs = options.timeoutMs ?? this.#timeoutMs;
    const signal =
      limitMs > 0 ? AbortSignal.any([options.signal, AbortSignal.timeout(limitMs)]) : options.signal;
    const { headers, body } = modeAndBody(options);
    const request = {
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      signal,
      // Without any limit, unless it is a stream, whose answer begins at once.
      headersTimeout: limitMs || (options.idleMs === undefined ? 0 : this.#timeoutMs),
      bodyTimeout: options.idleMs ?? limitMs,
      body,
      headers: { ...this.headers(url), ...headers },
    };
    const attempt = () =>
      this.#agent.request(request).catch((error: unknown) => {
        options.signal.throwIfAborted();
        const why = signal.aborted ? `no answer within ${limitMs / 1000} s` : codeOf(error);
        throw new JupyterUnreachableError(`${method} ${url.pathname} failed: ${why}`, { cause: error });
      });
    const mayRepeat = method !== 'POST' || options.idempotent === true;
    const answer = await attempt().catch((error: unknown) => {
      if (!mayRepeat || signal.aborted || !STALE_CONNECTION.has(codeOf(error))) throw error;
      this.#guard();
      return attempt();
    });
    this.#keepCookies(url, answer);
    return answer;
  }

  /** What identifies us at this URL, asked for by whoever is about to send something there. Holds secrets. */
  headers(url: URL): Record<string, string> {
    this.#guard();
    const cookies = this.#jar.getCookiesSync(url.href);
    // The hub's and the lab's _xsrf differ only by path; the jar knows which belongs to this URL, nearest path first.
    const xsrf = cookies.find((cookie) => cookie.key === '_xsrf')?.value;
    return {
      authorization: `Bearer ${this.#token}`,
      'user-agent': USER_AGENT,
      ...(cookies.length > 0 ? { cookie: cookies.map((cookie) => cookie.cookieString()).join('; ') } : {}),
      ...(xsrf === undefined ? {} : { 'x-xsrftoken': xsrf }),
      ...(this.space.isHub(url) ? { referer: this.space.hub('hub/home').href } : {}),
    };
  }

  /** The cookies that would be sent there, as one string. */
  cookiesFor(url: URL): string {
    return this.#jar.getCookieStringSync(url.href);
  }

  forgetCookies(): void {
    this.#jar = newJar();
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #keepCookies(url: URL, answer: Answer): void {
    for (const cookie of [answer.headers['set-cookie'] ?? []].flat()) {
      this.#jar.setCookieSync(cookie, url.href, { ignoreError: true });
    }
  }
}

function newJar(): CookieJar {
  // In a cluster or on one machine the host may well be a "public suffix" or a special name such as localhost.
  return new CookieJar(undefined, { rejectPublicSuffixes: false, allowSpecialUseDomain: true });
}
