import { setTimeout as sleep } from 'node:timers/promises';
import { refusal, NoteburstError, UnreachableError, type RefusedError } from './client-error.ts';

export interface ServiceAddress {
  /** Where the service is, such as https://data.example.org/noteburst. */
  baseUrl: string;
  /** A token of the caller's with the scope `exec:notebook`. */
  token: string;
  /** For the log of the service. */
  userAgent?: string;
  /** In ms: how long a request may fail for want of the service before that is an error; 60 s by default. */
  patienceMs?: number;
}

export interface Call {
  method?: 'GET' | 'POST' | 'DELETE';
  headers?: Record<string, string>;
  body?: string;
  /** How long the service was asked to wait before it answers. */
  waitSeconds?: number;
  signal?: AbortSignal | undefined;
}

/** An answer that has come whole. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  url: string;
}

const ANSWER_MS = 60_000;
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/** Statuses by which a service, or a proxy in front, says "not now". 500 is not among them: it may not have been harmless. */
const NOT_NOW = new Set([408, 429, 502, 503, 504]);

/**
 * Sends requests that are safe to repeat (reading, cancelling, and submitting under an idempotency key), and repeats them
 * while the service is away or asks for patience, with growing pauses or those of its `Retry-After`.
 */
export class Requests {
  readonly #address: ServiceAddress;
  readonly #base: string;

  /** @throws {NoteburstError} for an address or a token that cannot be one */
  constructor(address: ServiceAddress) {
    this.#address = address;
    this.#base = address.baseUrl.replace(/\/+$/, '');
    const url = URL.canParse(this.#base) ? new URL(this.#base) : undefined;
    const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
    if (!isWeb || url.username !== '' || url.password !== '') {
      throw new NoteburstError(
        'The address of the service should be like https://data.example.org/noteburst',
      );
    }
    // Neither fetch nor anybody else is to tell of it.
    if (!/^[!-~]+$/.test(address.token)) {
      throw new NoteburstError(
        'The token is no token: there are blanks, line breaks or letters in it that none has',
      );
    }
  }

  /** The URL of a path below the service. */
  url(path: string): string {
    return `${this.#base}${path}`;
  }

  /**
   * @returns the answer, when it is a success or 304
   * @throws {RefusedError} for any other answer
   * @throws {UnreachableError} when there was none for as long as the patience lasts
   */
  send(path: string, call: Call = {}): Promise<Answer> {
    return this.#patiently(call, () =>
      this.#attempt(path, call, async (response) => {
        const { status, headers, url } = response;
        return { status, headers, url, text: await response.text() };
      }),
    );
  }

  /** As {@link send}, for an answer that is read as it comes. fetch itself ends one that is silent for 5 minutes. */
  stream(path: string, call: Call = {}): Promise<Response> {
    return this.#patiently(call, () => this.#attempt(path, call, (response) => Promise.resolve(response)));
  }

  async #patiently<T>(call: Call, attempt: () => Promise<T | Failed>): Promise<T> {
    const giveUpAt = performance.now() + (this.#address.patienceMs ?? PATIENCE_MS);
    for (let count = 0; ; count++) {
      const result = await attempt();
      if (!(result instanceof Failed)) return result;
      const pauseMs = result.retryAfterMs ?? backoff(count);
      if (!result.passes || performance.now() + pauseMs > giveUpAt) throw result.error;
      await sleep(pauseMs, undefined, { signal: call.signal });
    }
  }

  /** @param read takes the answer, within the same time; a connection that is cut meanwhile is one that failed */
  async #attempt<T>(path: string, call: Call, read: (response: Response) => Promise<T>): Promise<T | Failed> {
    const limit = new AbortController();
    const ms = ANSWER_MS + (call.waitSeconds ?? 0) * 1_000;
    const timer = setTimeout(() => limit.abort(new Error('no answer in time')), ms);
    try {
      const response = await fetch(this.url(path), {
        method: call.method ?? 'GET',
        headers: this.#headers(call),
        ...(call.body === undefined ? {} : { body: call.body }),
        signal: call.signal ? AbortSignal.any([call.signal, limit.signal]) : limit.signal,
        // A login page somewhere else is no answer, and the token is for this host only.
        redirect: 'manual',
      });
      if (response.ok || response.status === 304) return await read(response);
      return await this.#refused(path, response);
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof NoteburstError) throw error;
      return new Failed(this.#unreachable(error as Error), true);
    } finally {
      clearTimeout(timer);
    }
  }

  async #refused(path: string, response: Response): Promise<Failed> {
    const { status, headers } = response;
    if (status >= 300 && status < 400) {
      await response.body?.cancel();
      const to = headers.get('Location') ?? 'somewhere else';
      throw new NoteburstError(
        `${this.url(path)} redirects to ${to}: is the address right, and the token given?`,
      );
    }
    const error = refusal(status, await response.text());
    // 409: this very submission is being taken. Retry-After is there when it passes.
    const after = Number(headers.get('Retry-After') ?? Number.NaN);
    const passes = NOT_NOW.has(status) || (status === 409 && Number.isFinite(after));
    return new Failed(error, passes, Number.isFinite(after) ? after * 1_000 : undefined);
  }

  #headers({ headers, waitSeconds, body }: Call): Record<string, string> {
    const { token, userAgent } = this.#address;
    return {
      Authorization: `Bearer ${token}`,
      Accept: 'application/json',
      ...(userAgent === undefined ? {} : { 'User-Agent': userAgent }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(waitSeconds === undefined ? {} : { Prefer: `wait=${waitSeconds}` }),
      ...headers,
    };
  }

  #unreachable(error: Error): UnreachableError {
    // fetch says "fetch failed"; what failed is its cause.
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    return new UnreachableError(`${this.#base} cannot be reached: ${reason}`, { cause: error });
  }
}

/** An attempt that came to nothing. */
class Failed {
  readonly error: RefusedError | UnreachableError;
  /** Whether it may be otherwise the next time. */
  readonly passes: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(error: RefusedError | UnreachableError, passes: boolean, retryAfterMs?: number) {
    this.error = error;
    this.passes = passes;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Doubled each time, the half of it by chance, so that many callers do not come back together. */
function backoff(attempt: number): number {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
  return most / 2 + (Math.random() * most) / 2;
}
