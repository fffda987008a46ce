import { isStatus, makeMessage, type KernelMessage } from './messages.ts';

/**
 * Notices that a kernel died, which nothing tells us: the pending request just never settles, the websocket stays
 * open, and the server restarts the kernel under the same id. Signs of it, any of which is enough:
 * - the server's own `restarting` or `dead` status (jupyter_server, after some 2 s; jupyter-server-documents: never);
 * - a kernel process with another `header.session` than the one we knew answers or says it is `starting`.
 * To get an answer while the shell is busy, kernel_info is asked on the control channel ("Control channel").
 */
export class DeathWatch {
  readonly #send: (message: KernelMessage) => void;
  readonly #clientSession: string;
  readonly #intervalMs: number;
  #kernelSession: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (message: KernelMessage) => void, clientSession: string, intervalMs: number) {
    this.#send = send;
    this.#clientSession = clientSession;
    this.#intervalMs = intervalMs;
  }

  /** The session of the kernel process we talk to, known from its kernel_info_reply. */
  set kernelSession(session: string) {
    this.#kernelSession = session;
  }

  /** Probes from now on, first after one interval: short cells pay nothing. */
  start(): void {
    // Probes are not waited for: one lost with its kernel would otherwise end the watch.
    this.#timer ??= setInterval(
      () => this.#send(makeMessage('kernel_info_request', 'control', {}, this.#clientSession)),
      this.#intervalMs,
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks at a message of any channel; returns how it tells of the kernel's death, if it does. */
  evidence(message: KernelMessage): string | undefined {
    if (isStatus(message, 'restarting')) return 'the lab is restarting it';
    if (isStatus(message, 'dead')) return 'the lab gave up restarting it';
    const speaksForItself = message.header.msg_type === 'kernel_info_reply' || isStatus(message, 'starting');
    const isAnother = this.#kernelSession !== undefined && message.header.session !== this.#kernelSession;
    return speaksForItself && isAnother ? 'another process answers in its place' : undefined;
  }
}
