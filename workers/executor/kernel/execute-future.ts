import { isStatus, type KernelMessage } from './messages.ts';

export interface FutureGraces {
  /** Wait for the reply after idle has come, in ms: jupyter-server-documents loses replies now and then. */
  replyMs: number;
  /** The same for a request that was interrupted: ipykernel sends no reply when SIGINT comes just before the cell's code. */
  stoppedReplyMs: number;
  /** Wait for idle after the reply, in ms, counted anew from each iopub message of the request. */
  idleMs: number;
}

export interface Settled {
  /** Missing when idle came and the reply did not within its grace. */
  reply: KernelMessage | undefined;
  /** Missing when the reply came and idle did not within its grace: outputs may be missing. */
  idle: KernelMessage | undefined;
}

/**
 * One request on its way: done when its reply *and* the `idle` of its processing have come, in either order, as
 * shell and iopub are separate channels with no order between them ("Messages on the IOPub channel", kernel status).
 */
export class RequestFuture {
  readonly msgId: string;
  readonly done: Promise<Settled>;
  readonly #graces: FutureGraces;
  readonly #resolve: (settled: Settled) => void;
  readonly #reject: (error: Error) => void;
  #reply: KernelMessage | undefined;
  #idle: KernelMessage | undefined;
  #grace: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(msgId: string, graces: FutureGraces) {
    const { promise, resolve, reject } = Promise.withResolvers<Settled>();
    this.msgId = msgId;
    this.done = promise;
    this.#graces = graces;
    this.#resolve = resolve;
    this.#reject = reject;
    // Whoever waits sees the rejection; one that comes when nobody waits any more must not end the process.
    promise.catch(() => undefined);
  }

  /** The reply on shell or control whose parent is this request. */
  onReply(message: KernelMessage): void {
    this.#reply = message;
    this.#advance();
  }

  /** An iopub message whose parent is this request. */
  onIopub(message: KernelMessage): void {
    if (isStatus(message, 'idle')) this.#idle = message;
    if (this.#idle !== undefined || this.#reply !== undefined) this.#advance();
  }

  /** The request is being interrupted: its reply may never come. */
  stop(): void {
    this.#stopped = true;
    if (this.#idle !== undefined) this.#advance();
  }

  /** Ends it with what has come: the kernel is known to be done with it. */
  settle(): void {
    clearTimeout(this.#grace);
    this.#resolve({ reply: this.#reply, idle: this.#idle });
  }

  /** Ends it with an error; a settled future stays as it is. */
  fail(error: Error): void {
    clearTimeout(this.#grace);
    this.#reject(error);
  }

  #advance(): void {
    clearTimeout(this.#grace);
    if (this.#idle !== undefined && this.#reply !== undefined) this.settle();
    else {
      const { idleMs, replyMs, stoppedReplyMs } = this.#graces;
      const graceMs = this.#idle === undefined ? idleMs : this.#stopped ? stoppedReplyMs : replyMs;
      this.#grace = setTimeout(() => this.settle(), graceMs);
    }
  }
}
