import { numberOf } from './message-ledger.ts';
import { isStatus, type KernelMessage } from './messages.ts';

/** Says whether a process of the lab runs; undefined when it cannot find out. */
export type ProcessProbe = (pid: number) => Promise<boolean | undefined>;

export interface WatchTimings {
  /** Between two probes of the control channel while something runs. */
  probeIntervalMs: number;
  /** Silence after which somebody else is asked whether the kernel's process is still there. */
  silenceMs: number;
}

/**
 * Notices that a kernel died, which nothing tells us: the pending request just never settles, the websocket stays
 * open, and the server restarts the kernel under the same id. Signs of it, any of which is enough:
 * - the server's own `restarting` or `dead` status (jupyter_server: it looks every 3 s; jupyter-server-documents: never);
 * - a kernel process with another `header.session` than the one we knew answers or says it is `starting`;
 * - the kernel is silent, and its process is gone.
 *
 * Silence alone proves nothing: a kernel answers on its control channel in milliseconds whatever its shell does
 * ("Control channel"), but not while one call of C code keeps Python's lock, as `sum(range(10**9))` does for long.
 * So silence only makes us look for the process, by the id that Python kernels put into their messages.
 */
export class DeathWatch {
  readonly #probe: () => void;
  readonly #onDeath: (evidence: string) => void;
  readonly #processProbe: ProcessProbe | undefined;
  readonly #timings: WatchTimings;
  #kernelSession: string | undefined;
  #pid: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  #asking = false;

  /** @param probe sends a kernel_info_request on the control channel */
  constructor(
    probe: () => void,
    onDeath: (evidence: string) => void,
    timings: WatchTimings,
    processProbe?: ProcessProbe,
  ) {
    this.#probe = probe;
    this.#onDeath = onDeath;
    this.#timings = timings;
    this.#processProbe = processProbe;
  }

  /** Whether it comes from the kernel's process, not from the server or another process under the same id. */
  isFromKernel(message: KernelMessage): boolean {
    return message.header.session === this.#kernelSession;
  }

  /** Probes from now on, first after one interval: short cells pay nothing. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#heardAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#timings.probeIntervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks at a message of any channel; tells of the kernel's death, if it is a sign of it. */
  observe(message: KernelMessage): void {
    if (isStatus(message, 'restarting')) this.#onDeath('the lab is restarting it');
    if (isStatus(message, 'dead')) this.#onDeath('the lab gave up restarting it');
    const isInfo = message.header.msg_type === 'kernel_info_reply';
    if (isInfo && this.#kernelSession === undefined) {
      // The first to answer is the one we talk to.
      this.#kernelSession = message.header.session;
      this.#pid = numberOf(message)?.pid;
    }
    if (this.isFromKernel(message)) this.#heardAt = performance.now();
    else if (this.#kernelSession !== undefined && (isInfo || isStatus(message, 'starting'))) {
      this.#onDeath('another process answers in its place');
    }
  }

  #tick(): void {
    // Probes are not waited for: one lost with its kernel would otherwise end the watch.
    this.#probe();
    if (performance.now() - this.#heardAt > this.#timings.silenceMs) void this.#lookForProcess();
  }

  async #lookForProcess(): Promise<void> {
    if (this.#asking || this.#pid === undefined || this.#processProbe === undefined) return;
    this.#asking = true;
    const alive = await this.#processProbe(this.#pid).catch(() => undefined);
    this.#asking = false;
    if (alive === false && this.#timer !== undefined) this.#onDeath('its process ended');
  }
}
