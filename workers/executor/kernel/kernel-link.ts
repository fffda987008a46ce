import { setTimeout as delay } from 'node:timers/promises';
import { settledOrAborted } from '../../../lib/abort.ts';
import { KernelUnreachableError, type KernelError } from './kernel-error.ts';
import type { KernelTransport, OpenTransport } from './kernel-transport.ts';

export interface LinkTimings {
  /** In all for getting a socket back after it was cut. */
  reconnectTimeoutMs: number;
  /** Before the second attempt; doubled for each further one, up to 5 s. */
  reconnectPauseMs: number;
}

export interface LinkHandlers {
  onFrame(frame: Uint8Array): void;
  /** The socket was cut. @returns whether it is worth getting it back */
  onCut(error: KernelError): boolean;
  /** A new socket is open: finds out what is at its other end. Rejects when the socket is of no use. */
  verify(signal: AbortSignal): Promise<void>;
  /** The new socket is good. */
  onRestored(): void;
  /** There will be no other socket. */
  onEnd(error: Error): void;
}

const LONGEST_PAUSE_MS = 5_000;

/** The one socket to a kernel over time: opened, and opened again when it was cut while it was needed. */
export class KernelLink {
  readonly #open: OpenTransport;
  readonly #handlers: LinkHandlers;
  readonly #timings: LinkTimings;
  readonly #closing = new AbortController();
  #transport: KernelTransport | undefined;
  /** What was to be sent while the socket was away. */
  #outbox: Uint8Array[] = [];
  /** Resolves to why the socket could not be got back. */
  #recovering: Promise<KernelError | undefined> | undefined;

  constructor(open: OpenTransport, handlers: LinkHandlers, timings: LinkTimings) {
    this.#open = open;
    this.#handlers = handlers;
    this.#timings = timings;
  }

  /** Opens the socket unless there is one, or one on its way. @throws KernelUnreachableError, SocketClosedError */
  async connect(signal: AbortSignal): Promise<void> {
    await this.#recovered(signal);
    this.#transport ??= await this.#openOne((error) => this.#onCut(error), signal);
  }

  send(frame: Uint8Array): void {
    if (this.#recovering === undefined) this.#transport?.send(frame);
    else this.#outbox.push(frame);
  }

  /** For what finds out about a new socket, ahead of everything that waits for it. */
  sendNow(frame: Uint8Array): void {
    this.#transport?.send(frame);
  }

  /** Goes on with another socket, while nothing is expected on the one there is. */
  async renew(signal: AbortSignal): Promise<void> {
    await this.#recovered(signal);
    await this.#drop();
    await this.connect(signal);
  }

  /** Ends it in bounded time; never rejects. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#transport?.close();
  }

  #openOne(onClose: (error: KernelError) => void, signal: AbortSignal): Promise<KernelTransport> {
    return this.#open({ onFrame: (frame) => this.#handlers.onFrame(frame), onClose }, signal);
  }

  #onCut(error: KernelError): void {
    this.#transport = undefined;
    if (this.#closing.signal.aborted) return;
    if (this.#handlers.onCut(error)) this.#recovering = this.#recover(error);
    else this.#handlers.onEnd(error);
  }

  /** Returns when no socket is being got back any more. @throws why that failed; the signal's reason */
  async #recovered(signal: AbortSignal): Promise<void> {
    while (this.#recovering !== undefined) {
      const error = await settledOrAborted(this.#recovering, signal);
      signal.throwIfAborted();
      if (error !== undefined) throw error;
    }
  }

  /** @returns the cause when there will be no other socket */
  async #recover(cause: KernelError): Promise<KernelError | undefined> {
    const deadline = AbortSignal.timeout(this.#timings.reconnectTimeoutMs);
    const signal = AbortSignal.any([this.#closing.signal, deadline]);
    let pauseMs = 0;
    let cut: KernelError | undefined;
    try {
      do {
        await delay(pauseMs, undefined, { signal });
        pauseMs = Math.min(pauseMs * 2 || this.#timings.reconnectPauseMs, LONGEST_PAUSE_MS);
      } while (!(await this.#tryOnce(signal, (error) => (cut = error))));
    } catch {
      await this.#drop();
      this.#recovering = undefined;
      this.#handlers.onEnd(cause);
      return cause;
    }
    this.#recovering = undefined;
    this.#handlers.onRestored();
    for (const frame of this.#outbox.splice(0)) this.send(frame);
    if (cut !== undefined) this.#onCut(cut);
    return undefined;
  }

  /** @returns whether the kernel is connected again. @throws when there is no point in trying once more */
  async #tryOnce(signal: AbortSignal, onLaterCut: (error: KernelError) => void): Promise<boolean> {
    const broken = new AbortController();
    let verified = false;
    const onClose = (error: KernelError) => {
      broken.abort(error);
      if (!verified) return;
      if (this.#recovering === undefined) this.#onCut(error);
      else onLaterCut(error);
    };
    try {
      this.#transport = await this.#openOne(onClose, signal);
      await this.#handlers.verify(AbortSignal.any([signal, broken.signal]));
      return (verified = !broken.signal.aborted);
    } catch (error) {
      signal.throwIfAborted();
      // The lab does not know the kernel, or the hub the lab.
      if (error instanceof KernelUnreachableError && error.statusCode === 404) throw error;
      await this.#drop();
      return false;
    }
  }

  async #drop(): Promise<void> {
    const transport = this.#transport;
    this.#transport = undefined;
    await transport?.close();
  }
}
