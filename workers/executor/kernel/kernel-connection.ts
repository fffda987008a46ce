import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_TIMINGS, type ConnectionTimings } from './connection-timings.ts';
import { DeathWatch, type ProcessProbe } from './death-watch.ts';
import { RequestFuture, type Settled } from './execute-future.ts';
import type { ExecuteResult } from './execute-result.ts';
import { Execution, type LostOutput } from './execution.ts';
import {
  CellTooLargeError,
  KernelDiedError,
  KernelTimeoutError,
  MalformedMessageError,
  MessageTooLargeError,
  SocketClosedError,
} from './kernel-error.ts';
import { KernelLink } from './kernel-link.ts';
import type { OpenTransport } from './kernel-transport.ts';
import { MessageLedger, numberOf } from './message-ledger.ts';
import { isObject, makeMessage, type CommMessage, type JsonObject, type KernelMessage } from './messages.ts';
import { decodeMessage, encodeMessage } from './websocket-codec.ts';

/** jupyter_server (tornado) closes the socket, code 1006, on larger messages. */
const MAX_REQUEST_BYTES = 10 * 2 ** 20;

export interface ExecuteOptions {
  /** Called for each iopub message whose parent is this request, in order, also after the request is done. */
  onIopub: (message: KernelMessage) => void;
  /** Gives the waiting up, rejecting with its reason; the kernel goes on (interrupt it first). */
  signal?: AbortSignal;
  /**
   * Once it fires, code that has not been sent yet, as the socket is away, is not sent any more; rejects with its reason.
   * What has been sent is about to be interrupted, so that a missing reply is not waited for as long.
   */
  stop?: AbortSignal;
  /** Nothing is heard of it once it is done, and it does not count as a use of the kernel. */
  silent?: boolean;
  storeHistory?: boolean;
  stopOnError?: boolean;
  /** What to do when output may be missing after the websocket was cut; by default an OutputLostError is thrown. */
  lostOutput?: LostOutput;
}

type Listener = (message: KernelMessage) => void;

/**
 * One kernel over one websocket at a time: never two, as on jupyter-server-documents a second one steals the replies.
 *
 * Lives as long as the kernel is used. Every method rejects with a `KernelError`; once the kernel died or the socket
 * is lost for good, each further call rejects with that same error. A socket that is cut once the kernel is in use is
 * opened again with the same `session_id`, for which jupyter_server keeps what it would have sent.
 */
export class KernelConnection {
  /** What the server keeps messages for while a socket is away, and the session of our messages. */
  readonly clientSession = randomUUID();
  readonly #timings: ConnectionTimings;
  readonly #link: KernelLink;
  readonly #watch: DeathWatch;
  readonly #ledger = new MessageLedger();
  readonly #pending = new Map<string, RequestFuture>();
  readonly #executions = new Map<string, Execution>();
  /** Kept for the whole notebook: a thread prints with the parent of the cell that started it, however late. */
  readonly #listeners = new Map<string, Listener>();
  #latest: Listener | undefined;
  readonly #untilEnd = Promise.withResolvers<void>();
  #ended: Error | undefined;
  #repliesLost = false;
  #languageInfo: JsonObject = {};

  /** @param open called with `clientSession` known, and again if the connection has to be renewed */
  constructor(
    open: (clientSession: string) => OpenTransport,
    timings: Partial<ConnectionTimings> = {},
    processProbe?: ProcessProbe,
  ) {
    this.#timings = { ...DEFAULT_TIMINGS, ...timings };
    const handlers = {
      onFrame: (frame: Uint8Array) => this.#onFrame(frame),
      onCut: (error: Error) => this.#onCut(error),
      verify: (signal: AbortSignal) => this.#verify(signal),
      onRestored: () => this.#onRestored(),
      onEnd: (error: Error) => this.#end(error),
    };
    this.#link = new KernelLink(open(this.clientSession), handlers, this.#timings);
    const probe = () => this.#link.sendNow(encodeMessage(this.#kernelInfo('control')));
    const onDeath = (evidence: string) => this.#end(new KernelDiedError(evidence));
    this.#watch = new DeathWatch(probe, onDeath, this.#timings, processProbe);
  }

  /** Resolves when every further call would reject. */
  get ended(): Promise<void> {
    return this.#untilEnd.promise;
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
    try {
      if (this.#ended !== undefined) throw this.#ended;
      const until = AbortSignal.any([signal, deadline]);
      await this.#link.connect(until);
      const { content } = await this.#answer('shell', until);
      if (isObject(content['language_info'])) this.#languageInfo = content['language_info'];
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) throw new KernelTimeoutError('The kernel did not become ready', timeoutMs);
      throw error;
    }
  }

  /**
   * Runs code: resolves when it is done, whatever its status.
   *
   * @throws CellTooLargeError before anything is sent
   * @throws KernelDiedError, SocketClosedError, MessageTooLargeError, OutputLostError
   */
  async execute(code: string, options: ExecuteOptions): Promise<ExecuteResult> {
    options.signal?.throwIfAborted();
    await this.#connected(options.signal ?? new AbortController().signal);
    options.stop?.throwIfAborted();
    const content = {
      code,
      silent: options.silent ?? false,
      store_history: options.storeHistory ?? true,
      user_expressions: {},
      allow_stdin: false as const,
      stop_on_error: options.stopOnError ?? true,
    };
    const request = makeMessage('execute_request', 'shell', content, this.clientSession);
    const future = this.#request(request, options.onIopub);
    const { settleMs } = this.#timings;
    const execution = new Execution(future, this.#ledger, options.lostOutput ?? 'throw', settleMs);
    this.#executions.set(future.msgId, execution);
    const giveUp = () => future.fail(options.signal?.reason as Error);
    options.signal?.addEventListener('abort', giveUp, { once: true });
    const stop = () => future.stop();
    options.stop?.addEventListener('abort', stop, { once: true });
    this.#watch.start();
    try {
      const result = await execution.result();
      if (result === undefined) return await this.execute(code, options);
      this.#repliesLost = result.missing === 'reply';
      return result;
    } finally {
      options.signal?.removeEventListener('abort', giveUp);
      options.stop?.removeEventListener('abort', stop);
      this.#pending.delete(future.msgId);
      if (content.silent) this.#listeners.delete(future.msgId);
      this.#executions.delete(future.msgId);
      if (this.#executions.size === 0) this.#watch.stop();
    }
  }

  /**
   * Sends a comm_msg ("Custom Messages") to the kernel side of a comm; not waited for.
   *
   * @returns whether it was sent: it is not when it is larger than the server takes
   */
  sendComm(comm: CommMessage): boolean {
    const frame = encodeMessage(makeMessage('comm_msg', 'shell', comm, this.clientSession));
    if (frame.length > MAX_REQUEST_BYTES) return false;
    this.#link.send(frame);
    return true;
  }

  /** Closes the socket in bounded time; what is pending rejects. The kernel stays. */
  async close(): Promise<void> {
    this.#end(new SocketClosedError(1000, 'closed by the executor'));
    await this.#link.close();
  }

  /**
   * Waits for a socket that is being got back, and takes a new one where replies were lost: that mended it each time it
   * was tried, and as nothing runs now, nothing can be missed.
   */
  async #connected(signal: AbortSignal): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (!this.#repliesLost) return this.#link.connect(signal);
    await this.#link.renew(signal);
    await this.ready(signal);
    this.#repliesLost = false;
  }

  #kernelInfo(channel: 'shell' | 'control'): KernelMessage {
    return makeMessage('kernel_info_request', channel, {}, this.clientSession);
  }

  /** Asks for kernel_info until reply *and* idle of one request have come. Rejects when the signal fires. */
  async #answer(channel: 'shell' | 'control', signal: AbortSignal): Promise<KernelMessage> {
    const asked: RequestFuture[] = [];
    const answer = Promise.withResolvers<KernelMessage>();
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    try {
      while (!signal.aborted) {
        const future = this.#request(this.#kernelInfo(channel), undefined, true);
        asked.push(future);
        // Half an answer is no proof of a working kernel.
        const take = ({ reply, idle }: Settled) => reply !== undefined && idle && answer.resolve(reply);
        future.done.then(take, () => undefined);
        const pause = delay(this.#timings.readyIntervalMs, undefined, { signal: until });
        const reply = await Promise.race([answer.promise, pause.catch(() => undefined)]);
        if (this.#ended !== undefined) throw this.#ended;
        if (reply !== undefined) return reply;
      }
      throw signal.reason;
    } finally {
      stop.abort();
      for (const future of asked) {
        future.fail(new Error('no longer asked'));
        this.#pending.delete(future.msgId);
      }
    }
  }

  #request(message: KernelMessage, listener?: Listener, now = false): RequestFuture {
    if (this.#ended !== undefined) throw this.#ended;
    const frame = encodeMessage(message);
    if (frame.length > MAX_REQUEST_BYTES) throw new CellTooLargeError(frame.length, MAX_REQUEST_BYTES);
    const future = new RequestFuture(message.header.msg_id, this.#timings);
    this.#pending.set(future.msgId, future);
    if (listener !== undefined) {
      this.#listeners.set(future.msgId, listener);
      this.#latest = listener;
    }
    if (now) this.#link.sendNow(frame);
    else this.#link.send(frame);
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
    this.#watch.observe(message);
    if (this.#ended !== undefined) return;
    const numbered = this.#watch.isFromKernel(message) ? numberOf(message) : undefined;
    if (numbered !== undefined) this.#ledger.note(numbered.number);
    const parent = message.parent_header.msg_id ?? '';
    if (message.channel === 'iopub') this.#onIopub(message, parent);
    else this.#pending.get(parent)?.onReply(message);
  }

  #onIopub(message: KernelMessage, parent: string): void {
    this.#executions.get(parent)?.hear(message);
    // Comms outlive requests: what the kernel says on one outside of any, or in answer to a comm_msg of ours.
    const isComm = message.header.msg_type.startsWith('comm_');
    const listener = this.#listeners.get(parent) ?? (isComm ? this.#latest : undefined);
    try {
      listener?.(message);
    } catch (error) {
      // A fault of the caller's is the caller's, not the socket's.
      for (const { future } of this.#executions.values()) future.fail(error as Error);
    }
    this.#pending.get(parent)?.onIopub(message);
  }

  /** A kernel nobody has used yet is easier replaced. A message that is too large would only come again. */
  #onCut(error: Error): boolean {
    for (const execution of this.#executions.values()) execution.cut();
    return this.#ended === undefined && this.#listeners.size > 0 && !(error instanceof MessageTooLargeError);
  }

  /** On control, as the shell may be busy for hours. Another process in the kernel's place shows by its answer. */
  async #verify(signal: AbortSignal): Promise<void> {
    await this.#answer(
      'control',
      AbortSignal.any([signal, AbortSignal.timeout(this.#timings.verifyTimeoutMs)]),
    );
  }

  #onRestored(): void {
    const { last } = this.#ledger;
    // The shell works in order: an answer to this tells that the cell is over, even if that was lost.
    const marker = () => this.#request(this.#kernelInfo('shell'), undefined, true).done;
    for (const execution of this.#executions.values()) execution.restored(last, marker);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#untilEnd.resolve();
    this.#watch.stop();
    for (const future of this.#pending.values()) future.fail(this.#ended);
    this.#pending.clear();
  }
}
