import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DeathWatch } from './death-watch.ts';
import { RequestFuture, type FutureGraces, type Settled } from './execute-future.ts';
import { readExecuteReply, replyFromOutputs, type ExecuteResult } from './execute-result.ts';
import {
  CellTooLargeError,
  KernelDiedError,
  KernelTimeoutError,
  MalformedMessageError,
  SocketClosedError,
} from './kernel-error.ts';
import type { KernelTransport, OpenTransport } from './kernel-transport.ts';
import { isObject, makeMessage, type CommMessage, type JsonObject, type KernelMessage } from './messages.ts';
import { decodeMessage, encodeMessage } from './websocket-codec.ts';

export interface ConnectionTimings extends FutureGraces {
  /** Between two probes of the control channel while something runs. */
  probeIntervalMs: number;
  /** Between two kernel_info requests while waiting for the kernel to be ready. */
  readyIntervalMs: number;
  /** In all for a kernel to be ready; an `lsst` kernel runs a long set-up first. */
  readyTimeoutMs: number;
}

export const DEFAULT_TIMINGS: ConnectionTimings = {
  replyMs: 2_000,
  idleMs: 10_000,
  probeIntervalMs: 500,
  readyIntervalMs: 250,
  readyTimeoutMs: 90_000,
};

/** jupyter_server (tornado) closes the socket, code 1006, on larger messages. */
const MAX_REQUEST_BYTES = 10 * 2 ** 20;

export interface ExecuteOptions {
  /** Called for each iopub message whose parent is this request, in order, also after the request is done. */
  onIopub(message: KernelMessage): void;
  /** Gives the waiting up, rejecting with its reason; the kernel goes on (interrupt it first). */
  signal?: AbortSignal;
  silent?: boolean;
  storeHistory?: boolean;
  stopOnError?: boolean;
}

type Listener = (message: KernelMessage) => void;

/**
 * One kernel over one websocket: never two, as on jupyter-server-documents a second one steals the replies.
 *
 * Lives as long as the kernel is used. Every method rejects with a `KernelError`; once the kernel died or the socket
 * closed, each further call rejects with that same error.
 */
export class KernelConnection {
  /** What the server keeps messages for while a socket is away, and the session of our messages. */
  readonly clientSession = randomUUID();
  readonly #open: OpenTransport;
  readonly #timings: ConnectionTimings;
  readonly #watch: DeathWatch;
  readonly #pending = new Map<string, RequestFuture>();
  /** Kept for the whole notebook: a thread prints with the parent of the cell that started it, however late. */
  readonly #listeners = new Map<string, Listener>();
  #latest: Listener | undefined;
  #transport: KernelTransport | undefined;
  #ended: Error | undefined;
  #repliesLost = false;
  #languageInfo: JsonObject = {};

  /** @param open called with `clientSession` known, and again if the connection has to be renewed */
  constructor(open: (clientSession: string) => OpenTransport, timings: Partial<ConnectionTimings> = {}) {
    this.#open = open(this.clientSession);
    this.#timings = { ...DEFAULT_TIMINGS, ...timings };
    const send = (message: KernelMessage) => this.#transport?.send(encodeMessage(message));
    this.#watch = new DeathWatch(send, this.clientSession, this.#timings.probeIntervalMs);
  }

  /** `language_info` of kernel_info_reply; known once `ready` has returned. */
  get languageInfo(): JsonObject {
    return this.#languageInfo;
  }

  /**
   * Connects if need be and returns once the kernel answers on shell and iopub alike: executing earlier can lose
   * outputs, as iopub is a PUB socket whose subscription takes its time. Also serves as a probe of a warm kernel.
   *
   * @throws KernelTimeoutError not ready in time
   */
  async ready(signal: AbortSignal, timeoutMs = this.#timings.readyTimeoutMs): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const stop = new AbortController();
    const until = AbortSignal.any([signal, deadline, stop.signal]);
    const asked: RequestFuture[] = [];
    try {
      await this.#connect(until);
      const answers: Promise<Settled>[] = [];
      while (!until.aborted) {
        const future = this.#request(makeMessage('kernel_info_request', 'shell', {}, this.clientSession));
        asked.push(future);
        answers.push(future.done.then(complete));
        const pause = delay(this.#timings.readyIntervalMs, undefined, { signal: until });
        const settled = await Promise.race([
          Promise.any(answers).catch(() => undefined),
          pause.catch(() => undefined),
        ]);
        if (this.#ended !== undefined) throw this.#ended;
        if (settled?.reply === undefined) continue;
        this.#learn(settled.reply);
        return;
      }
      signal.throwIfAborted();
      throw new KernelTimeoutError('The kernel did not become ready', timeoutMs);
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) {
        throw new KernelTimeoutError('The kernel did not become ready', timeoutMs);
      }
      throw error;
    } finally {
      stop.abort();
      for (const future of asked) {
        future.fail(new Error('no longer asked'));
        this.#pending.delete(future.msgId);
      }
    }
  }

  /**
   * Runs code: resolves when it is done, whatever its status.
   *
   * @throws CellTooLargeError before anything is sent
   * @throws KernelDiedError, SocketClosedError
   */
  async execute(code: string, options: ExecuteOptions): Promise<ExecuteResult> {
    options.signal?.throwIfAborted();
    if (this.#repliesLost) await this.#renew(options.signal ?? new AbortController().signal);
    const content = {
      code,
      silent: options.silent ?? false,
      store_history: options.storeHistory ?? true,
      user_expressions: {},
      allow_stdin: false as const,
      stop_on_error: options.stopOnError ?? true,
    };
    const request = makeMessage('execute_request', 'shell', content, this.clientSession);
    const outputs: KernelMessage[] = [];
    const future = this.#request(request, (message) => {
      const type = message.header.msg_type;
      if (type === 'error' || type === 'execute_input') outputs.push(message);
      try {
        options.onIopub(message);
      } catch (error) {
        future.fail(error as Error); // a fault of the caller's is the caller's, not the socket's
      }
    });
    const giveUp = () => future.fail(options.signal?.reason as Error);
    options.signal?.addEventListener('abort', giveUp, { once: true });
    this.#watch.start();
    try {
      const { reply, idle } = await future.done;
      this.#repliesLost = reply === undefined;
      return reply === undefined ? replyFromOutputs(outputs) : readExecuteReply(reply, idle);
    } finally {
      options.signal?.removeEventListener('abort', giveUp);
      this.#pending.delete(future.msgId);
      if (this.#pending.size === 0) this.#watch.stop();
    }
  }

  /** Sends a comm_msg ("Custom Messages") to the kernel side of a comm; not waited for. */
  sendComm(comm: CommMessage): void {
    this.#transport?.send(encodeMessage(makeMessage('comm_msg', 'shell', comm, this.clientSession)));
  }

  /** Closes the socket in bounded time; what is pending rejects. The kernel stays. */
  async close(): Promise<void> {
    this.#end(new SocketClosedError(1000, 'closed by the executor'));
    await this.#transport?.close();
  }

  async #connect(signal: AbortSignal): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    this.#transport ??= await this.#open(
      { onFrame: (frame) => this.#onFrame(frame), onClose: (error) => this.#end(error) },
      signal,
    );
  }

  /** A new socket mended lost replies each time it was tried; nothing runs now, so nothing can be missed. */
  async #renew(signal: AbortSignal): Promise<void> {
    await this.#transport?.close();
    this.#transport = undefined;
    await this.ready(signal);
    this.#repliesLost = false;
  }

  #request(message: KernelMessage, listener?: Listener): RequestFuture {
    if (this.#ended !== undefined) throw this.#ended;
    const frame = encodeMessage(message);
    if (frame.length > MAX_REQUEST_BYTES) throw new CellTooLargeError(frame.length, MAX_REQUEST_BYTES);
    const future = new RequestFuture(message.header.msg_id, this.#timings);
    this.#pending.set(future.msgId, future);
    if (listener !== undefined) {
      this.#listeners.set(future.msgId, listener);
      this.#latest = listener;
    }
    this.#transport?.send(frame);
    return future;
  }

  #onFrame(frame: Uint8Array): void {
    let message: KernelMessage;
    try {
      message = decodeMessage(frame);
    } catch (error) {
      // One unreadable message must not end a notebook; if it was the one waited for, a grace notices.
      if (error instanceof MalformedMessageError) return;
      throw error;
    }
    const evidence = this.#watch.evidence(message);
    if (evidence !== undefined) {
      this.#end(new KernelDiedError(evidence));
      return;
    }
    const parent = message.parent_header.msg_id;
    if (message.channel === 'iopub') this.#onIopub(message, parent);
    else if (parent !== undefined) this.#pending.get(parent)?.onReply(message);
  }

  #onIopub(message: KernelMessage, parent: string | undefined): void {
    const listener = parent === undefined ? undefined : this.#listeners.get(parent);
    if (listener !== undefined) listener(message);
    // Comms outlive requests: what the kernel says on one outside of any, or in answer to a comm_msg of ours.
    else if (message.header.msg_type.startsWith('comm_')) this.#latest?.(message);
    if (parent !== undefined) this.#pending.get(parent)?.onIopub(message);
  }

  #learn(reply: KernelMessage): void {
    this.#watch.kernelSession = reply.header.session;
    const languageInfo = reply.content['language_info'];
    if (isObject(languageInfo)) this.#languageInfo = languageInfo;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#watch.stop();
    for (const future of this.#pending.values()) future.fail(this.#ended);
    this.#pending.clear();
  }
}

/** A kernel_info that lost one of its halves is no proof of a working kernel. */
function complete(settled: Settled): Settled {
  if (settled.reply === undefined || !settled.idle) throw new Error('half an answer');
  return settled;
}
