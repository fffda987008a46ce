import { outside, Process } from './processes.ts';

/** What becomes of a call: how long it travels, how long its answer does, and whether either is lost. */
export interface Fate {
  toMs: number;
  backMs: number;
  lost?: 'call' | 'answer' | undefined;
}

export class NoAnswerError extends Error {}

const PROMPT: Fate = { toMs: 1, backMs: 1 };
/** After which a connection is given up, and what was not answered is sent on another. */
const RECONNECT_MS = 2_000;

/** Between processes and servers: it delays, loses and so reorders, until it is told to be calm. */
export class Network {
  calm = false;
  readonly #fates: readonly Fate[];
  #next = 0;

  constructor(fates: readonly Fate[]) {
    this.#fates = fates;
  }

  /**
   * Calls a server.
   *
   * @param effect what happens there, whether or not anybody still waits for it
   * @throws NoAnswerError; whatever the effect throws
   */
  send<T>(effect: () => T, timeoutMs: number): Promise<T> {
    const fate = this.calm ? PROMPT : (this.#fates[this.#next++ % this.#fates.length] as Fate);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    setTimeout(() => reject(new NoAnswerError('no answer')), timeoutMs);
    if (fate.lost === 'call') return promise;
    const caller = Process.current as Process;
    const arrive = () => {
      let answer: () => void;
      try {
        const result = effect();
        answer = () => resolve(result);
      } catch (error) {
        answer = () => reject(error);
      }
      if (fate.lost !== 'answer') caller.run(() => setTimeout(answer, fate.backMs));
    };
    outside(() => setTimeout(arrive, fate.toMs));
    return promise;
  }

  /** As BullMQ's client does it: sent again on a new connection, although the first may have been heard. */
  async resend<T>(effect: () => T): Promise<T> {
    for (;;) {
      try {
        return await this.send(effect, RECONNECT_MS);
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
      }
    }
  }
}
