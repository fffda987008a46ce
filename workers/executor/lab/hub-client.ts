import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import {
  JupyterResponseError,
  LabNotStoppedError,
  LabUnusableError,
  RedirectRefusedError,
  SpawnFailedError,
} from './errors.ts';
import type { JupyterHttp } from './jupyter-http.ts';
import { spawnForm, type LabImage, type LabSize } from '../../../lib/contract/lab-image.ts';
import { isTransient, retrying } from './retry.ts';
import { followSpawn, type LabState, type SpawnProgress } from './spawn-progress.ts';

const serverSchema = z.object({
  ready: z.boolean(),
  pending: z.enum(['spawn', 'stop', 'check']).or(z.string()).nullish(),
  started: z.string().nullish(),
});

const userSchema = z.object({
  name: z.string(),
  servers: z.record(z.string(), serverSchema).default({}),
});

/** The hub's view of a user: `servers` is empty once the lab is stopped, and lists it while it starts or stops. */
export type HubUser = z.infer<typeof userSchema>;

/** The hub writes an empty line every 8 s; this much silence means the stream is dead. */
const PROGRESS_IDLE_MS = 30_000;
/** How long the hub itself may hold a request that starts or stops a lab before it answers "pending". */
const SLOW_MS = 60_000;

/** What one bot does at its JupyterHub: log in, stop a lab, spawn one. Throttling and restarts are waited out. */
export class HubClient {
  readonly #http: JupyterHttp;
  readonly #onRetry: (error: Error, pauseMs: number) => void;

  constructor(http: JupyterHttp, onRetry: (error: Error, pauseMs: number) => void = () => {}) {
    this.#http = http;
    this.#onRetry = onRetry;
  }

  /**
   * Logs in as a visitor with no history. Stale cookies only lead to XSRF errors, so they are dropped first.
   *
   * @throws LabUnusableError if the ingress or the hub does not take our token
   */
  async login(signal: AbortSignal): Promise<void> {
    await this.#patiently(signal, async () => {
      this.#http.forgetCookies();
      await this.#http.page(this.#http.space.hub('hub/home'), { signal });
    }).catch((error: unknown) => {
      throw isUnauthorized(error) || error instanceof RedirectRefusedError ? this.#refused(error) : error;
    });
  }

  /** Asks for the user's model. */
  async user(signal: AbortSignal): Promise<HubUser> {
    return this.#authenticated(signal, () => this.#http.json('GET', this.#api(''), userSchema, { signal }));
  }

  /**
   * Stops the user's lab, whoever started it, and waits until it is gone.
   *
   * @returns whether there was one
   * @throws LabNotStoppedError if it is still there after `withinMs`: then nobody may use this identity
   */
  async stopLab(signal: AbortSignal, withinMs = 120_000): Promise<boolean> {
    const end = performance.now() + withinMs;
    if (labState(await this.user(signal)) === 'none') return false;
    let trouble = await this.#requestStop(signal);
    let requested = performance.now();
    for (let pauseMs = 50; performance.now() < end; pauseMs = Math.min(pauseMs * 1.5, 1000)) {
      await sleep(pauseMs, undefined, { signal });
      const server = Object.values((await this.user(signal)).servers)[0];
      if (!server) return true;
      // A hub that was restarted in between, or failed to stop it, has forgotten our wish.
      if (server.pending !== 'stop' && performance.now() - requested > 5_000) {
        trouble = await this.#requestStop(signal);
        requested = performance.now();
      }
    }
    throw new LabNotStoppedError(
      `The lab of ${this.#http.space.username} is still there ${withinMs / 1000} s after it was told to stop: ` +
        "look at the hub's log, or stop it at the hub's admin page.",
      { cause: trouble },
    );
  }

  /**
   * Asks for a new lab by the form that people use. It is not ready yet then: read `progress`.
   *
   * @throws SpawnFailedError if the hub refuses at once
   */
  async spawn(image: LabImage, size: LabSize, signal: AbortSignal): Promise<void> {
    const url = this.#http.space.hub('hub/spawn');
    // The hub sets the spawner up while it renders the form.
    await this.#authenticated(signal, () => this.#http.page(url, { signal }));
    let mayHaveBegun = false;
    await this.#authenticated(signal, async () => {
      // A request whose answer was lost may have been heard; asking twice would be answered 400.
      if (mayHaveBegun && labState(await this.user(signal)) !== 'none') return;
      mayHaveBegun = true;
      await this.#http.send('POST', url, {
        signal,
        form: spawnForm(image, size),
        navigate: true,
        timeoutMs: SLOW_MS,
      });
    }).catch((error: unknown) => {
      if (!(error instanceof JupyterResponseError)) throw error;
      throw new SpawnFailedError(
        `The hub refuses to spawn a lab for ${this.#http.space.username} (${error.status}): ` +
          "check the image and the size, the user's quota, and the hub's log.",
        undefined,
        error,
      );
    });
  }

  /** Follows the spawn; the last item is `ready` or `failed`. It has no limit in time but the signal. */
  progress(signal: AbortSignal): AsyncIterable<SpawnProgress> {
    const url = this.#api('/server/progress');
    const open = () => this.#http.stream(url, signal, PROGRESS_IDLE_MS);
    return followSpawn({ open, state: async () => labState(await this.user(signal)) }, signal);
  }

  /** @returns what went wrong, if it did: the lab's state decides, not this answer */
  async #requestStop(signal: AbortSignal): Promise<unknown> {
    try {
      const url = this.#api('/server');
      await this.#authenticated(signal, () => this.#http.send('DELETE', url, { signal, timeoutMs: SLOW_MS }));
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      // 404: gone already; 5xx: the hub had trouble stopping it, and will say so in the model.
      if (isTransient(error)) return error;
      if (error instanceof JupyterResponseError && (error.status === 404 || error.status >= 500))
        return error;
      throw error;
    }
  }

  /** Runs a call; if the hub does not know us (any more), logs in again, once. */
  async #authenticated<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    try {
      return await this.#patiently(signal, call);
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
    }
    await this.login(signal);
    return this.#patiently(signal, call).catch((error: unknown) => {
      throw isUnauthorized(error) ? this.#refused(error) : error;
    });
  }

  #refused(error: Error): LabUnusableError {
    const message =
      `The hub does not let ${this.#http.space.username} in: ${error.message}. ` +
      'Is its Gafaelfawr token valid, and may it use notebooks (scope exec:notebook)?';
    return new LabUnusableError('unauthorized', message, error);
  }

  #patiently<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    return retrying(call, { signal, onRetry: this.#onRetry });
  }

  #api(path: string): URL {
    return this.#http.space.hub(`hub/api/users/${encodeURIComponent(this.#http.space.username)}${path}`);
  }
}

/** A user has one lab at most; named servers are not used with Nublado. */
export function labState(user: HubUser): LabState {
  const server = Object.values(user.servers)[0];
  if (!server) return 'none';
  return server.ready && !server.pending ? 'ready' : 'pending';
}

function isUnauthorized(error: unknown): error is JupyterResponseError {
  return error instanceof JupyterResponseError && error.unauthorized;
}
