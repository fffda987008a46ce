import { setTimeout as delay } from 'node:timers/promises';
import type { RequestFuture } from './execute-future.ts';
import { readExecuteReply, replyFromOutputs, type ExecuteResult } from './execute-result.ts';
import { OutputLostError } from './kernel-error.ts';
import { numberOf, type MessageLedger } from './message-ledger.ts';
import { isStatus, type JsonObject, type KernelMessage } from './messages.ts';

/** What to do when output may be missing after the websocket was cut. */
export type LostOutput = 'throw' | 'report';

/**
 * One execute_request under way: what the kernel says of it, and whether all of that has come although the websocket
 * may have been cut meanwhile.
 */
export class Execution {
  readonly future: RequestFuture;
  readonly #ledger: MessageLedger;
  readonly #lostOutput: LostOutput;
  readonly #settleMs: number;
  /** Of these the reply can be put together, should it be lost; the last alone, as a cell may show errors without end. */
  #executionCount: unknown;
  #error: JsonObject | undefined;
  /** The number of the kernel's last message before the request, or of its first. */
  #from: number | undefined;
  #begun = false;
  #cut = false;

  /** @param settleMs for messages on their way when the socket is back, before they count as lost */
  constructor(future: RequestFuture, ledger: MessageLedger, lostOutput: LostOutput, settleMs: number) {
    this.future = future;
    this.#ledger = ledger;
    this.#lostOutput = lostOutput;
    this.#settleMs = settleMs;
    this.#from = ledger.last;
  }

  /** Takes note of an iopub message whose parent is the request. */
  hear(message: KernelMessage): void {
    const type = message.header.msg_type;
    // The first thing the kernel says of a request; what it said to others before is no business of ours.
    if (isStatus(message, 'busy')) this.#from = numberOf(message)?.number;
    this.#begun = true;
    if (type === 'execute_input') this.#executionCount = message.content['execution_count'];
    if (type === 'error') this.#error = message.content;
  }

  /** The socket was cut: what the kernel said meanwhile may be lost. */
  cut(): void {
    this.#cut = true;
  }

  /**
   * The socket is back.
   *
   * @param last number of the last message that had come by then
   * @param marker resolves when the kernel has answered a request behind this one, which so is over
   */
  restored(last: number | undefined, marker: () => Promise<unknown>): void {
    if (!this.#cut) return; // made while the socket was away, and only sent now
    void marker().then(
      () => this.future.settle(),
      () => undefined,
    );
    // No use in waiting for the end of a cell whose output is lost already.
    setTimeout(() => {
      const complete = this.#ledger.isComplete(this.#from, last);
      if (!complete && this.#lostOutput === 'throw') this.future.fail(new OutputLostError());
    }, this.#settleMs);
  }

  /**
   * Waits for its end.
   *
   * @returns undefined when the request was lost on its way, so that it can be made again
   * @throws OutputLostError, and whatever the future is failed with
   */
  async result(): Promise<ExecuteResult | undefined> {
    const { reply, idle } = await this.future.done;
    const lost = this.#cut && !(await this.#hasAll(reply, idle));
    if (this.#cut && reply === undefined) {
      // Without the reply nobody knows how the cell ended: the error may be among what was lost.
      if (lost || this.#begun) throw new OutputLostError();
      // Nothing was lost, and nothing came: the request never reached the kernel, which has nothing to do.
      return undefined;
    }
    if (lost && this.#lostOutput === 'throw') throw new OutputLostError();
    const result =
      reply === undefined
        ? replyFromOutputs(this.#executionCount, this.#error)
        : readExecuteReply(reply, idle !== undefined);
    return lost ? { ...result, missing: 'output' } : result;
  }

  /** Whether all the kernel sent from the request's begin to its end has come; as far as anything has, if the end has not. */
  async #hasAll(...ends: (KernelMessage | undefined)[]): Promise<boolean> {
    const numbers = ends.flatMap((end) => (end && numberOf(end)?.number) ?? []);
    const to = ends.includes(undefined) ? this.#ledger.last : Math.max(...numbers);
    if (this.#ledger.isComplete(this.#from, to)) return true;
    await delay(this.#settleMs);
    return this.#ledger.isComplete(this.#from, to);
  }
}
