import { setTimeout as sleep } from 'node:timers/promises';
import { createAppAuth } from '@octokit/auth-app';
import { request as octokitRequest } from '@octokit/request';
import { settledOrAborted } from '../../../lib/abort.ts';
import { serviceMetadata } from '../../../lib/http/metadata.ts';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import type { Outgoing } from '../outgoing/outgoing.ts';

export interface GithubApp {
  /** https://api.github.com, or a server's own. */
  apiUrl: string;
  appId: string;
  /** PEM. */
  privateKey: string;
}

/** What the app does with a repository. */
export type Permissions = Readonly<Record<string, 'read' | 'write'>>;

type Parameters = Record<string, unknown>;

const ANSWER_MS = 20_000;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 500;
/** What is asked to wait for longer is left to a later attempt at the whole job. */
const LONGEST_PAUSE_MS = 10_000;

/** GitHub's API, asked as an app: https://docs.github.com/en/rest. */
export class GithubApi {
  /** As what it makes bears it; undefined when only the client id is known. */
  readonly appId: number | undefined;
  readonly #request: typeof octokitRequest;
  readonly #auth: ReturnType<typeof createAppAuth>;

  constructor({ apiUrl, appId, privateKey }: GithubApp, outgoing: Pick<Outgoing, 'fetch'>) {
    this.appId = /^\d+$/.test(appId) ? Number(appId) : undefined;
    // Of what libraries have to say, GitHub's announcements about its API, nothing is for the log.
    const log = { debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 };
    this.#request = octokitRequest.defaults({
      baseUrl: apiUrl,
      headers: { 'user-agent': `${serviceMetadata.name}/${serviceMetadata.version}` },
      request: { fetch: outgoing.fetch, log },
    });
    // Several may wait for the same token: the request is bounded by itself, and by none of their signals.
    const fetch: Outgoing['fetch'] = (url, init) =>
      outgoing.fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
    const request = this.#request.defaults({ request: { fetch, log } });
    this.#auth = createAppAuth({ appId, privateKey, request, log });
  }

  /**
   * A token for one repository, and no more than is needed; it lives for an hour.
   *
   * @throws {GivenUpError} {@link RetryLaterError}
   */
  async token(
    installation: number,
    repository: string,
    permissions: Permissions,
    signal: AbortSignal,
  ): Promise<string> {
    const [, name = ''] = repository.split('/');
    const options = { installationId: installation, repositoryNames: [name], permissions };
    return this.#patiently(async (limit) => {
      limit.throwIfAborted();
      const found = await settledOrAborted(this.#auth({ type: 'installation', ...options }), limit);
      if (!found) throw limit.reason;
      return found.token;
    }, signal);
  }

  /**
   * Asks with a token, for what may be asked twice. GitHub says 404 also of what the app may not see: that is a refusal like others.
   *
   * @param route for example `GET /repos/{owner}/{repo}`
   * @returns the answer's body
   * @throws {GivenUpError} {@link RetryLaterError}
   */
  async ask(token: string, route: string, parameters: Parameters, signal: AbortSignal): Promise<unknown> {
    return this.#patiently(
      (limit) => this.#send({ route, parameters, authorization: `token ${token}`, signal: limit }),
      signal,
    );
  }

  /**
   * Asks for what need not be there.
   *
   * @returns undefined when it is not
   * @throws {GivenUpError} {@link RetryLaterError}
   */
  async lookFor(token: string, route: string, parameters: Parameters, signal: AbortSignal): Promise<unknown> {
    return orNothing(this.ask(token, route, parameters, signal));
  }

  /**
   * Asks for what would be there twice when it is asked for twice: an answer may be lost.
   *
   * @param find looks, before each attempt, whether one before it has made it
   * @returns what was found or made
   * @throws {GivenUpError} {@link RetryLaterError}
   */
  async makeOnce(
    token: string,
    route: string,
    parameters: Parameters,
    find: () => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const authorization = `token ${token}`;
    return this.#patiently(async () => {
      const found = await find();
      return found ?? this.#send({ route, parameters, authorization, signal: bounded(signal) });
    }, signal);
  }

  /** As {@link lookFor}, by the app itself. */
  async lookForAsApp(route: string, parameters: Parameters, signal: AbortSignal): Promise<unknown> {
    const asked = this.#patiently(async (limit) => {
      const { token } = await this.#auth({ type: 'app' });
      return this.#send({ route, parameters, authorization: `bearer ${token}`, signal: limit });
    }, signal);
    return orNothing(asked);
  }

  async #send({ route, parameters, authorization, signal }: Sent): Promise<unknown> {
    const request = { ...parameters, headers: { authorization }, request: { signal } };
    return (await this.#request(route, request)).data;
  }

  /** Again after what passes by itself, for some seconds. */
  async #patiently<T>(send: (limit: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send(bounded(signal));
      } catch (error) {
        signal.throwIfAborted();
        // Another question's, which was asked patiently itself.
        if (error instanceof RetryLaterError || error instanceof GivenUpError) throw error;
        const failed = error as Failed;
        if (!isPassing(failed)) throw refused(failed);
        const pauseMs = askedPauseMs(failed) ?? FIRST_PAUSE_MS * 2 ** (attempt - 1) * (1 + Math.random());
        if (attempt === ATTEMPTS || pauseMs > LONGEST_PAUSE_MS)
          throw new RetryLaterError(`GitHub did not do it (${failed.status ?? 'no answer'})`, {
            afterMs: pauseMs,
            cause: error,
          });
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }
}

const bounded = (signal: AbortSignal): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);

/** Whether GitHub itself does not answer, whatever it is asked. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof RetryLaterError && (error.cause as Failed | undefined)?.response === undefined;

/** Where 404 is an answer. */
async function orNothing(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof GivenUpError && (error.cause as Failed | undefined)?.status === 404)
      return undefined;
    throw error;
  }
}

interface Sent {
  route: string;
  parameters: Parameters;
  authorization: string;
  signal: AbortSignal;
}

/** What Octokit throws; without a response it got none. */
interface Failed extends Error {
  status?: number;
  response?: { headers: Record<string, string | undefined> };
}

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: limits are told by 403 as well. */
function isPassing({ status = 500, response }: Failed): boolean {
  if (status >= 500 || status === 429) return true;
  const headers = response?.headers ?? {};
  return status === 403 && (headers['retry-after'] !== undefined || headers['x-ratelimit-remaining'] === '0');
}

function askedPauseMs({ response }: Failed): number | undefined {
  const headers = response?.headers ?? {};
  const after = Number(headers['retry-after'] ?? Number.NaN);
  if (Number.isFinite(after)) return after * 1_000;
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN);
  if (headers['x-ratelimit-remaining'] !== '0' || !Number.isFinite(reset)) return undefined;
  return Math.max(reset * 1_000 - Date.now(), 1_000);
}

/** In GitHub's words, of which none is what was sent. */
function refused(cause: Failed): Error {
  const { status, message, response } = cause;
  if (!response) return new RetryLaterError('GitHub could not be asked', { cause });
  return new GivenUpError(`GitHub refused it (${status}): ${message.slice(0, 500)}`, { cause });
}
