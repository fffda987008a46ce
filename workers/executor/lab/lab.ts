import { z } from 'zod';
import type { KernelHost } from '../kernel/kernel-host.ts';
import { JupyterResponseError, LabUnusableError, NoSuchKernelError } from './errors.ts';
import type { LabApi } from './lab-api.ts';

const specsSchema = z.object({ default: z.string(), kernelspecs: z.record(z.string(), z.unknown()) });
const kernelSchema = z.object({ id: z.string(), name: z.string() });
const sessionSchema = z
  .object({ id: z.string(), path: z.string(), type: z.string(), kernel: kernelSchema.nullable() })
  .transform(({ id, path, type, kernel }) => ({ sessionId: id, path, type, kernelId: kernel?.id }));

/** A session as the lab lists it. Its path was chosen by whoever started it, and tells whose it is. */
export type LabSession = z.infer<typeof sessionSchema>;

/** What runs in a lab although we did not start it; the ids are of kernels that have no session. */
export interface Foreign {
  sessions: LabSession[];
  kernelIds: string[];
}

/** Starting a kernel waits for its process; a loaded machine takes long. */
const START_KERNEL_MS = 60_000;

/** A running JupyterLab of our bot user. */
export class Lab implements KernelHost {
  /** When this lab's server came up, as it says itself. Another value later means that ours was replaced. */
  readonly started: string;
  readonly #api: LabApi;
  /** ids of the sessions that were started through this object, and paths of those being started right now */
  readonly #ours = new Set<string>();
  readonly #starting = new Set<string>();
  readonly #opened = new Set<string>();

  private constructor(api: LabApi, started: string) {
    this.#api = api;
    this.started = started;
  }

  /** Logs in to the lab. @throws LabUnusableError */
  static async connect(api: LabApi, signal: AbortSignal): Promise<Lab> {
    const { started } = await api.connect(signal);
    return new Lab(api, started);
  }

  /** Base of this lab's URLs, with a trailing slash. */
  get url(): string {
    return this.#api.url('').href;
  }

  async kernelSpecs(signal: AbortSignal): Promise<{ default: string; names: string[] }> {
    const specs = await this.#api.json('GET', 'api/kernelspecs', specsSchema, { signal });
    return { default: specs.default, names: Object.keys(specs.kernelspecs) };
  }

  async startSession(
    kernelName: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ sessionId: string; kernelId: string }> {
    const json = { path, name: path, type: 'console', kernel: { name: kernelName } };
    // The path makes it safe to send again: the lab answers with the session that has it.
    const options = { signal, json, idempotent: true, timeoutMs: START_KERNEL_MS };
    this.#starting.add(path);
    try {
      const { sessionId, kernelId } = await this.#api.json('POST', 'api/sessions', sessionSchema, options);
      this.#ours.add(sessionId);
      if (kernelId) return { sessionId, kernelId };
      throw new LabUnusableError('broken', `The lab made a session without a kernel for ${path}`);
    } catch (error) {
      if (!(error instanceof JupyterResponseError && error.status === 501)) throw error;
      throw new NoSuchKernelError(`The lab has no kernel named "${kernelName}"`);
    } finally {
      this.#starting.delete(path);
    }
  }

  async renameSession(sessionId: string, path: string, signal: AbortSignal): Promise<void> {
    const url = `api/sessions/${encodeURIComponent(sessionId)}`;
    await this.#api.send('PATCH', url, { signal, json: { path, name: path } });
  }

  async deleteSession(sessionId: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#api.send('DELETE', `api/sessions/${encodeURIComponent(sessionId)}`, { signal });
    } finally {
      // Foreign, should it still be there: then it is deleted as such.
      this.#ours.delete(sessionId);
    }
  }

  async interruptKernel(kernelId: string, signal: AbortSignal): Promise<void> {
    const path = `api/kernels/${encodeURIComponent(kernelId)}/interrupt`;
    await this.#api.send('POST', path, { signal, json: {}, idempotent: true });
  }

  async channels(
    kernelId: string,
    clientSessionId: string,
  ): Promise<{ url: string; headers: Record<string, string> }> {
    // A second socket to a kernel is a reconnect, and what broke the first may be our cookies running out.
    if (this.#opened.has(kernelId)) await this.#api.refresh();
    this.#opened.add(kernelId);
    return this.#api.socket(`api/kernels/${encodeURIComponent(kernelId)}/channels`, {
      session_id: clientSessionId,
    });
  }

  listSessions(signal: AbortSignal): Promise<LabSession[]> {
    return this.#api.json('GET', 'api/sessions', z.array(sessionSchema), { signal });
  }

  /** Ids of all kernels, those without a session too. The lab counts this as activity. */
  async listKernels(signal: AbortSignal): Promise<string[]> {
    const kernels = await this.#api.json('GET', 'api/kernels', z.array(kernelSchema), { signal });
    return kernels.map((kernel) => kernel.id);
  }

  async deleteKernel(kernelId: string, signal: AbortSignal): Promise<void> {
    await this.#api.send('DELETE', `api/kernels/${encodeURIComponent(kernelId)}`, { signal });
  }

  /** How many kernels are in the lab, as far as we know. */
  get kernelCount(): number {
    return this.#ours.size;
  }

  /**
   * Is this the lab we know? Its server may have been replaced under the same URL. This does not count as activity.
   *
   * @returns how many kernels are in it
   * @throws LabUnusableError if it is gone, or another
   */
  async verify(signal: AbortSignal): Promise<{ kernels: number }> {
    const { started, kernels } = await this.#api.status(signal);
    if (started === this.started) return { kernels };
    throw new LabUnusableError(
      'gone',
      `The lab was restarted under us: it is up since ${started}, ours ${this.started}`,
    );
  }

  /** Every session and kernel that was not started through this object, or was to be deleted and is still there. */
  async listForeign(signal: AbortSignal): Promise<Foreign> {
    // Kernels first: one that comes into being between the two calls is then not in its list, but its session may be.
    const kernels = await this.listKernels(signal);
    // A kernel is there a moment before its session; while we start one ourselves, leave those to the next round.
    const quiet = this.#starting.size === 0;
    const all = await this.listSessions(signal);
    const sessions = all.filter(
      ({ sessionId, path }) => !this.#ours.has(sessionId) && !this.#starting.has(path),
    );
    const owned = new Set(all.map((session) => session.kernelId));
    return { sessions, kernelIds: quiet ? kernels.filter((id) => !owned.has(id)) : [] };
  }
}
