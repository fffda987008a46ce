import { z } from 'zod';
import {
  JupyterError,
  JupyterResponseError,
  JupyterUnreachableError,
  LabUnusableError,
  RedirectRefusedError,
  type LabTrouble,
} from './errors.ts';
import type { JupyterHttp, SendOptions } from './jupyter-http.ts';

const statusSchema = z.object({ started: z.string(), kernels: z.number() });

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** A new login through lab and hub is shared by all who wait for it, so it has a limit of its own. */
const LOGIN_MS = 60_000;

/**
 * Calls to one lab's REST API, with the login that they need.
 *
 * When the lab refuses us (cookies run out, its XSRF token changes, it was restarted) we log in anew and repeat the
 * call, once. Any answer that says the lab itself is lost becomes a LabUnusableError.
 */
export class LabApi {
  readonly #http: JupyterHttp;
  #origin: string | undefined;
  /** counts logins, so that ten calls refused at once lead to one new login */
  #logins = 0;
  #login: Promise<void> | undefined;

  constructor(http: JupyterHttp) {
    this.#http = http;
  }

  /**
   * Goes through the lab's OAuth with the hub, and finds out where the lab lives.
   *
   * @returns when this lab's server came up, as it says itself
   */
  async connect(signal: AbortSignal): Promise<{ started: string }> {
    try {
      await this.#enter(signal);
    } catch (error) {
      throw this.#asTrouble(error);
    }
    return this.status(signal);
  }

  /** Asks the lab for its state. This does not count as activity. */
  status(signal: AbortSignal): Promise<z.infer<typeof statusSchema>> {
    return this.json('GET', 'api/status', statusSchema, { signal });
  }

  /** @param path below the user's lab, for example "api/kernels" */
  url(path: string): URL {
    return this.#http.space.lab(path, this.#origin);
  }

  json<T>(method: Method, path: string, schema: z.ZodType<T>, options: SendOptions): Promise<T> {
    return this.#authenticated(options.signal, () =>
      this.#http.json(method, this.url(path), schema, options),
    );
  }

  /** @returns false if there was nothing of that name (404) */
  async send(method: Method, path: string, options: SendOptions): Promise<boolean> {
    try {
      await this.#authenticated(options.signal, () => this.#http.send(method, this.url(path), options));
      return true;
    } catch (error) {
      if (error instanceof JupyterResponseError && error.status === 404) return false;
      throw error;
    }
  }

  /** Where and with which headers (secrets!) a websocket is opened. */
  socket(path: string, query: Record<string, string>): { url: string; headers: Record<string, string> } {
    const url = this.url(path);
    const headers = this.#http.socketHeaders(url);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return { url: url.href, headers };
  }

  /** Renews cookies and XSRF token; what is still good is kept. */
  async refresh(): Promise<void> {
    const signal = AbortSignal.timeout(LOGIN_MS);
    await this.#authenticated(signal, () => this.#enter(signal));
  }

  /** Loads the lab's page as a browser does; that leads through the hub where the lab does not know us. */
  async #enter(signal: AbortSignal): Promise<void> {
    const page = await this.#http.page(this.#http.space.lab('lab', this.#origin), { signal });
    if (!this.#http.space.isLab(page)) {
      throw new LabUnusableError('gone', `The hub shows ${page.pathname} instead of the lab: is it running?`);
    }
    this.#origin = page.origin;
  }

  async #authenticated<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const known = this.#logins;
    try {
      return await call();
    } catch (error) {
      if (!isUnauthorized(error)) throw this.#asTrouble(error);
    }
    try {
      if (this.#logins === known) await unlessAborted((this.#login ??= this.#loginAnew()), signal);
      return await call();
    } catch (error) {
      throw this.#asTrouble(error);
    }
  }

  async #loginAnew(): Promise<void> {
    try {
      this.#http.forgetCookies();
      await this.#enter(AbortSignal.timeout(LOGIN_MS));
      this.#logins += 1;
    } finally {
      this.#login = undefined;
    }
  }

  /** What an error says about the lab as a whole; other errors stay what they are. */
  #asTrouble(error: unknown): unknown {
    const lab = `The lab of ${this.#http.space.username}`;
    if (!(error instanceof JupyterError) || error instanceof LabUnusableError) return error;
    if (!(error instanceof JupyterResponseError)) {
      return new LabUnusableError(troubleOf(error), `${lab} is of no use: ${error.message}`, error);
    }
    if (error.unauthorized) {
      const message = `${lab} refuses us even after a new login: ${error.message}. Is the bot's token still valid?`;
      return new LabUnusableError('unauthorized', message, error);
    }
    // The hub answers 424 in place of a lab that is not running; the proxies 502–504 while its server is dying.
    if (error.status === 424 || (error.transient && error.status !== 429)) {
      return new LabUnusableError('gone', `${lab} was stopped, culled or has died (${error.message})`, error);
    }
    return error;
  }
}

/** Waits for what goes on for others, for as long as we are interested ourselves. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}

function isUnauthorized(error: unknown): error is JupyterResponseError {
  return error instanceof JupyterResponseError && error.unauthorized;
}

function troubleOf(error: JupyterError): LabTrouble {
  if (error instanceof JupyterUnreachableError) return 'unreachable';
  // Without a valid token the ingress sends visitors to its login page.
  return error instanceof RedirectRefusedError ? 'unauthorized' : 'broken';
}
