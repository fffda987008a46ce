import type { KernelMessage } from './messages.ts';

/** jupyter_client's Session names its messages `{session}_{process id}_{number}`, the numbers without a gap. */
const NUMBERED = /_(\d+)_(\d+)$/;
/** A gap wider than this is not told number by number. */
const WIDEST_GAP = 10_000;

/** The number of a message and the process that sent it; undefined for kernels that name theirs in another way. */
export function numberOf(message: KernelMessage): { pid: number; number: number } | undefined {
  const { msg_id: id, session } = message.header;
  const [, pid, number] = (id.startsWith(session) && NUMBERED.exec(id.slice(session.length))) || [];
  return pid === undefined ? undefined : { pid: Number(pid), number: Number(number) };
}

/**
 * Which of a kernel process's messages have not come. The protocol itself has no way to tell whether something was
 * lost with a broken socket; Python kernels give it away, as all channels of a process share one row of numbers.
 * Keeps the gaps, not the messages, so that it stays small however much a notebook prints.
 */
export class MessageLedger {
  readonly #missing = new Set<number>();
  #last: number | undefined;
  #overflow = false;

  /** The highest number seen; undefined when the kernel does not number its messages. */
  get last(): number | undefined {
    return this.#last;
  }

  /** Takes note of a message of the kernel's process. They may come in any order, as channels do. */
  note(number: number): void {
    const last = this.#last ?? number - 1;
    if (number <= last) {
      this.#missing.delete(number);
      return;
    }
    if (number - last + this.#missing.size > WIDEST_GAP) this.#overflow = true;
    else for (let missing = last + 1; missing < number; missing++) this.#missing.add(missing);
    this.#last = number;
  }

  /** Whether everything after `from` has come, as far as anything has. False when that cannot be known. */
  isComplete(from: number | undefined, to = this.#last): boolean {
    if (from === undefined || to === undefined || this.#overflow) return false;
    return ![...this.#missing].some((number) => number > from && number <= to);
  }
}
