import { AsyncLocalStorage } from 'node:async_hooks';

const running = new AsyncLocalStorage<Process>();

/**
 * A process as far as it can be stopped and killed. Whatever it does begins with one of its timers, answers from the
 * network among them: those that come due while it is frozen have their turn when it goes on.
 */
export class Process {
  readonly #due = new Map<object, () => void>();
  #state: 'running' | 'frozen' | 'dead' = 'running';

  /** The one whose code this is. */
  static get current(): Process | undefined {
    return running.getStore();
  }

  get alive(): boolean {
    return this.#state !== 'dead';
  }

  run<T>(code: () => T): T {
    return running.run(this, code);
  }

  /** As by SIGSTOP. */
  freeze(): void {
    if (this.alive) this.#state = 'frozen';
  }

  /** As by SIGCONT. */
  thaw(): void {
    if (this.alive) this.#state = 'running';
    for (const [timer, callback] of this.#due) {
      // One may clear another.
      if (this.#due.delete(timer)) this.wake(timer, callback);
    }
  }

  kill(): void {
    this.#state = 'dead';
    this.#due.clear();
  }

  wake(timer: object, callback: () => void): void {
    if (this.#state === 'frozen') this.#due.set(timer, callback);
    else if (this.alive) this.run(callback);
  }

  forget(timer: object): void {
    this.#due.delete(timer);
  }
}

/** What happens outside of all processes: in the network, in servers. */
export const outside = <T>(code: () => T): T => running.exit(code);

type SetTimer = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => object;
type ClearTimer = (timer: object | undefined) => void;

/** Has each timer from now on belong to the process that sets it. For use with fake timers, which take them back. */
export function giveTimersToProcesses(): void {
  const timers = globalThis as unknown as Record<string, unknown>;
  for (const kind of ['Timeout', 'Interval']) {
    const [set, clear] = [timers[`set${kind}`] as SetTimer, timers[`clear${kind}`] as ClearTimer];
    timers[`set${kind}`] = ((callback, ms, ...args) => {
      const owner = Process.current;
      const call = () => callback(...args);
      const timer = set(() => (owner ? owner.wake(timer, call) : call()), ms);
      return timer;
    }) satisfies SetTimer;
    timers[`clear${kind}`] = ((timer) => {
      clear(timer);
      if (timer !== undefined) Process.current?.forget(timer);
    }) satisfies ClearTimer;
  }
}
