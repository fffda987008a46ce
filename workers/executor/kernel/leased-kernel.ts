import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessProbe } from './death-watch.ts';
import type { ExecuteResult } from './execute-result.ts';
import { DEFAULT_TIMINGS, type ConnectionTimings } from './connection-timings.ts';
import { KernelConnection, type ExecuteOptions } from './kernel-connection.ts';
import { KernelTimeoutError } from './kernel-error.ts';
import type { KernelHost } from './kernel-host.ts';
import { openKernelSocket, type KernelSocketOptions } from './kernel-socket.ts';
import type { OpenTransport } from './kernel-transport.ts';
import type { CommMessage, JsonObject } from './messages.ts';

/** What running a notebook needs of a kernel; `LeasedKernel` is the real one, tests script their own. */
export interface NotebookKernel {
  /** `language_info` as the kernel describes itself, for the notebook's metadata. */
  readonly languageInfo: JsonObject;
  /** Runs code; see `KernelConnection.execute`. */
  execute(code: string, options: ExecuteOptions): Promise<ExecuteResult>;
  /** Sends a comm_msg; not waited for. @returns false when it is too large to be sent */
  sendComm(comm: CommMessage): boolean;
  /** Interrupts what runs (KeyboardInterrupt in Python). */
  interrupt(signal: AbortSignal): Promise<void>;
}

export type SocketLimits = Pick<
  KernelSocketOptions,
  'maxMessageBytes' | 'handshakeTimeoutMs' | 'closeTimeoutMs' | 'pingIntervalMs'
>;

export interface LeasedKernelOptions {
  timings?: Partial<ConnectionTimings>;
  limits?: SocketLimits;
  /** Looks for processes in the lab, to tell a dead kernel from a silent one. */
  processProbe?: ProcessProbe;
  /** Aborted when the lab is lost, and the kernel with it: then there is nothing to delete. */
  labLost?: AbortSignal;
  /** Told when the socket was cut or could not be opened: the lab behind it may be gone. */
  onCut?: () => void;
}

const DELETE_RETRY_MS = 400;

/** A started kernel of a lab with its connection: used by one notebook, then deleted. */
export class LeasedKernel implements NotebookKernel {
  readonly kernelName: string;
  readonly kernelId: string;
  /** The Jupyter session that holds the kernel; deleting it ends the kernel. */
  readonly sessionId: string;
  readonly #path: string;
  readonly #host: KernelHost;
  readonly #connection: KernelConnection;
  readonly #labLost: AbortSignal;

  private constructor(
    host: KernelHost,
    names: { kernelName: string; kernelId: string; sessionId: string; path: string },
    connection: KernelConnection,
    labLost = new AbortController().signal,
  ) {
    this.kernelName = names.kernelName;
    this.kernelId = names.kernelId;
    this.sessionId = names.sessionId;
    this.#path = names.path;
    this.#host = host;
    this.#connection = connection;
    this.#labLost = labLost;
  }

  /**
   * Starts a kernel in a session of its own and waits until it is ready; leaves nothing behind when that fails.
   *
   * @param path the session's path, unique to it
   */
  static async start(
    host: KernelHost,
    kernelName: string,
    path: string,
    options: LeasedKernelOptions,
    signal: AbortSignal,
  ): Promise<LeasedKernel> {
    const session = await host.startSession(kernelName, path, signal);
    const connection = new KernelConnection(
      opener(host, session.kernelId, options),
      options.timings,
      options.processProbe,
    );
    const names = { kernelName, path, ...session };
    const kernel = new LeasedKernel(host, names, connection, options.labLost);
    try {
      await connection.ready(signal);
      await kernel.#keepHistoryInMemory(signal, options.timings?.readyTimeoutMs);
      return kernel;
    } catch (error) {
      await kernel.delete(AbortSignal.timeout(5_000)).catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  }

  get languageInfo(): JsonObject {
    return this.#connection.languageInfo;
  }

  /** Resolves once it is of no more use: it died, its socket was lost, or it was deleted. */
  get ended(): Promise<void> {
    return this.#connection.ended;
  }

  execute(code: string, options: ExecuteOptions): Promise<ExecuteResult> {
    return this.#connection.execute(code, options);
  }

  sendComm(comm: CommMessage): boolean {
    return this.#connection.sendComm(comm);
  }

  /**
   * IPython writes each cell into a database in the home folder, which costs 2 ms of every cell and is of no use to a
   * kernel that lives for one notebook. Other Python kernels answer with an error, which changes nothing either.
   */
  async #keepHistoryInMemory(signal: AbortSignal, timeoutMs = DEFAULT_TIMINGS.readyTimeoutMs): Promise<void> {
    if (this.languageInfo['name'] !== 'python') return;
    const code = 'get_ipython().history_manager.db_cache_size = 1_000_000';
    const deadline = AbortSignal.timeout(timeoutMs);
    const until = AbortSignal.any([signal, deadline]);
    const quiet = { onIopub: () => undefined, silent: true, storeHistory: false, stopOnError: false };
    try {
      await this.execute(code, { ...quiet, signal: until });
    } catch (error) {
      if (deadline.aborted && !signal.aborted) {
        throw new KernelTimeoutError('The kernel did not run its first request', timeoutMs);
      }
      throw error;
    }
  }

  interrupt(signal: AbortSignal): Promise<void> {
    return this.#host.interruptKernel(this.kernelId, signal);
  }

  /**
   * Names the session after what it runs, so that a listing of the lab tells it.
   *
   * @param name takes the place of the last part of the session's path
   */
  async nameAfter(name: string, signal: AbortSignal): Promise<void> {
    const path = `${this.#path.slice(0, this.#path.lastIndexOf('/') + 1)}${name}`;
    await this.#host.renameSession(this.sessionId, path, signal);
  }

  /** Whether an idle kernel still answers: labs cull idle ones, jupyter-server-documents with the socket left open. */
  async isAlive(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#connection.ready(signal, timeoutMs);
      return true;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }

  /** Closes the socket and deletes the session, which ends the kernel; tries again until the signal fires. */
  async delete(signal: AbortSignal): Promise<void> {
    await this.#connection.close();
    const until = AbortSignal.any([signal, this.#labLost]);
    while (!this.#labLost.aborted) {
      try {
        await this.#host.deleteSession(this.sessionId, until);
        return;
      } catch (error) {
        // jupyter_server answers 500 while it restarts a dead kernel, and would leave the new one running for ever.
        await delay(DELETE_RETRY_MS, undefined, { signal: until }).catch(() => undefined);
        if (signal.aborted) throw error;
      }
    }
  }
}

/** Opens the kernel's websocket, the first one and each that takes the place of one that was cut. */
function opener(host: KernelHost, kernelId: string, { limits, onCut }: LeasedKernelOptions) {
  return (clientSession: string): OpenTransport =>
    async (handlers, signal) => {
      const onClose: typeof handlers.onClose = (error) => {
        onCut?.();
        handlers.onClose(error);
      };
      try {
        const channels = await host.channels(kernelId, clientSession);
        return await openKernelSocket({ ...limits, ...channels }, { ...handlers, onClose }, signal);
      } catch (error) {
        if (!signal.aborted) onCut?.();
        throw error;
      }
    };
}
