import type { z } from 'zod';
import { Browser, type Answer, type BrowserOptions, type Method, type SendOptions } from './browser.ts';
import { JupyterResponseError, JupyterUnreachableError, RedirectRefusedError } from './errors.ts';
import { parseJson, redirectOf, throwUnlessSuccess } from './http-message.ts';
import type { UrlSpace } from './url-space.ts';

const MAX_REDIRECTS = 20;

export type { Method, SendOptions };

/**
 * HTTP as the hub and the lab want it, which is as a browser does it, redirects followed by hand and within their URLs
 * only. One for each bot and lab, since the cookies of two users would overwrite each other.
 */
export class JupyterHttp {
  readonly #browser: Browser;

  constructor(options: BrowserOptions) {
    this.#browser = new Browser(options);
  }

  /** The URLs of this bot's hub and lab. */
  get space(): UrlSpace {
    return this.#browser.space;
  }

  /** Loads a page and follows its redirects. @returns where they ended */
  async page(url: URL, options: Pick<SendOptions, 'signal' | 'timeoutMs'>): Promise<URL> {
    const { answer, url: last } = await this.#follow('GET', url, { ...options, navigate: true });
    await answer.body.dump();
    return last;
  }

  /** Sends a request of which only success matters; where a form leads to afterwards does not. */
  async send(method: Method, url: URL, options: SendOptions): Promise<void> {
    const { answer } = await this.#follow(method, url, options);
    await answer.body.dump();
  }

  /** Sends a request and checks the shape of its JSON answer. */
  async json<T>(method: Method, url: URL, schema: z.ZodType<T>, options: SendOptions): Promise<T> {
    const { answer } = await this.#follow(method, url, options);
    const text = await answer.body.text().catch((error: unknown) => {
      options.signal.throwIfAborted();
      throw new JupyterUnreachableError(`${method} ${url.pathname} broke off its answer`, { cause: error });
    });
    return parseJson(`${method} ${url.pathname}`, text, schema);
  }

  /**
   * Opens a stream of server-sent events; it lasts until the server, the reader or the signal ends it.
   *
   * @param idleMs the longest silence allowed, keepalive lines counted
   */
  async stream(url: URL, signal: AbortSignal, idleMs: number): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.#browser.request('GET', url, { signal, timeoutMs: 0, idleMs });
    await throwUnlessSuccess('GET', url, answer);
    return answer.body;
  }

  /** Headers with which a websocket to the lab is let in. They hold secrets. */
  socketHeaders(url: URL): Record<string, string> {
    return { ...this.#browser.headers(url), 'sec-fetch-mode': 'websocket' };
  }

  /** Starts over as a visitor nobody knows: stale cookies are worse than none. */
  forgetCookies(): void {
    this.#browser.forgetCookies();
  }

  /** Closes all connections; calls in flight fail. */
  async close(): Promise<void> {
    await this.#browser.close();
  }

  async #follow(method: Method, start: URL, options: SendOptions): Promise<{ answer: Answer; url: URL }> {
    const visited = new Set<string>();
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      // Coming back to a page is normal in a login; coming back with the same cookies is a loop.
      const visit = `${url.href} ${this.#browser.cookiesFor(url)}`;
      if (visited.has(visit)) break;
      visited.add(visit);
      const answer = await this.#browser.request(method, url, options);
      const location = redirectOf(answer);
      if (location === undefined) {
        await throwUnlessSuccess(method, url, answer);
        return { answer, url };
      }
      const next = await this.#redirect(answer, location, url);
      if (method !== 'GET') {
        // A form leads to a page for people, which we need not see. Anything else was not done, but sent to a login.
        if (options.form && next.pathname !== this.space.hub('hub/login').pathname)
          return { answer, url: next };
        throw new JupyterResponseError(method, url.pathname, answer.statusCode);
      }
      url = next;
    }
    const last = url.pathname;
    throw new RedirectRefusedError(`${method} ${start.pathname} is redirected in circles, lastly to ${last}`);
  }

  /** Done with this answer; on to where it leads, if that is ours. */
  async #redirect(answer: Answer, location: string, from: URL): Promise<URL> {
    await answer.body.dump();
    return this.space.resolve(location, from);
  }
}
