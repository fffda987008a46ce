import { onParentDeath } from '../process/identity.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof SIGNALS)[number];

/** One Ctrl-C reaches this process several times: from the terminal, from npm, and from bootstrap.mjs. */
const SAME_MS = 1_000;

/** Turns the signals that end a program, and the death of its parent, into an abort; a second one calls `force`. */
export class StopSignals {
  readonly #controller = new AbortController();
  readonly #force: () => void;
  readonly signal = this.#controller.signal;
  #first: { name: StopSignal; at: number } | undefined;

  constructor(force: () => void) {
    this.#force = force;
    for (const name of SIGNALS) process.on(name, () => this.#take(name));
    onParentDeath(() => this.#take('SIGTERM'));
  }

  /** The first of them that came. */
  get received(): StopSignal | undefined {
    return this.#first?.name;
  }

  #take(name: StopSignal): void {
    if (this.#first) {
      // Only Ctrl-C is somebody's impatience; a service manager may well repeat its SIGTERM.
      if (name === 'SIGINT' && performance.now() - this.#first.at > SAME_MS) this.#force();
      return;
    }
    this.#first = { name, at: performance.now() };
    this.#controller.abort(new Error(`stopped by ${name}`));
  }
}
