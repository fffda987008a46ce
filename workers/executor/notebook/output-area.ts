import { multiline, type Output } from '../../../lib/contract/nbformat.ts';
import type { Display } from './displays.ts';
import { bytesOf, firstBytes, type OutputBudget } from './output-budget.ts';

export type ErrorOutput = Extract<Output, { output_type: 'error' }>;
export type DisplayOutput = Extract<Output, { data: unknown }>;

/** What is kept at least of the newest error, even when nothing else is any more: it tells why the notebook ended. */
const MIN_ERROR_BYTES = 16_384;

/**
 * An ordered list of outputs under `clear_output`: that of a cell, or of an Output widget.
 *
 * Adjacent streams of one name become one output, as every frontend shows them; nbclient leaves one output for each
 * flush of the kernel's buffer, so its files differ from run to run. Appending a string to a string is constant time
 * in V8 (a rope, flattened once when read), so that 10⁵ prints stay linear.
 */
export class OutputArea {
  outputs: Output[] = [];
  readonly #budget: OutputBudget;
  /** How many outputs here are shown under a display_id; what their bundles take is counted there. */
  readonly #displays = new Map<Display, number>();
  #clearBeforeNext = false;
  #bytes = 0;
  #count = 0;
  #noticed = false;

  constructor(budget: OutputBudget) {
    this.#budget = budget;
  }

  /**
   * Adds an output, as far as there is room for it; what a `clear_output(wait=True)` left goes first.
   *
   * @param display what is shown under its display_id, the same as it shows
   */
  append(output: Output, display?: Display): void {
    this.clearIfDue();
    // After a cut only errors: what fitted in again would look as if it had followed.
    if (this.#noticed && output.output_type !== 'error') this.#budget.cut(bytesOf(output));
    else if (output.output_type === 'stream') this.#appendStream(output.name, multiline(output.text));
    else this.#appendOther(output, display);
  }

  /** "Clear output": at once, or with `wait` as the next output comes. */
  clear(wait: boolean): void {
    if (wait) this.#clearBeforeNext = true;
    else this.#empty();
  }

  /** Clears what a `clear_output(wait=True)` left, as the next output is there. */
  clearIfDue(): void {
    if (this.#clearBeforeNext) this.#empty();
  }

  /** Says, once, that something is missing. */
  notice(): void {
    if (this.#noticed) return;
    this.#noticed = true;
    this.outputs.push({ output_type: 'stream', name: 'stderr', text: this.#budget.notice() });
  }

  #appendStream(name: 'stdout' | 'stderr', text: string): void {
    const last = this.outputs.at(-1);
    const more = last?.output_type === 'stream' && last.name === name ? last : undefined;
    const bytes = Buffer.byteLength(text);
    const hasPlace = more !== undefined || this.#budget.hasFreeOutput;
    const room = hasPlace ? this.#budget.freeBytes : 0;
    const fits = hasPlace && bytes <= room;
    const kept = fits ? text : firstBytes(text, room);
    const isNew = more === undefined && (fits || kept !== '');
    if (more !== undefined) more.text = (more.text as string) + kept;
    else if (isNew) this.outputs.push({ output_type: 'stream', name, text: kept });
    this.#take(fits ? bytes : Buffer.byteLength(kept), isNew ? 1 : 0);
    if (fits) return;
    this.#budget.cut(bytes - room);
    this.notice();
  }

  #appendOther(output: Exclude<Output, { output_type: 'stream' }>, display: Display | undefined): void {
    const bytes = bytesOf(output);
    if (bytes <= this.#budget.freeBytes && this.#budget.hasFreeOutput) {
      this.outputs.push(output);
      this.#take(bytes - this.#shareOf(output, display), 1);
      return;
    }
    this.#budget.cut(bytes);
    this.notice();
    if (output.output_type === 'error') this.#showBeyond(shortened(output));
  }

  #shareOf(output: Output, display: Display | undefined): number {
    if (display === undefined || !('data' in output)) return 0;
    this.#displays.set(display, (this.#displays.get(display) ?? 0) + 1);
    return display.add(output);
  }

  /** Shows an error for which there is no room, in the place of the one before that had none. */
  #showBeyond(error: ErrorOutput): void {
    const { outputs } = this;
    this.#budget.showBeyond(() => {
      const index = outputs.lastIndexOf(error);
      if (index !== -1) outputs.splice(index, 1);
    });
    outputs.push(error);
  }

  #take(bytes: number, outputs: number): void {
    this.#bytes += bytes;
    this.#count += outputs;
    this.#budget.take(bytes, outputs);
  }

  #empty(): void {
    this.#clearBeforeNext = false;
    this.#noticed = false;
    this.#take(-this.#bytes, -this.#count);
    this.outputs = [];
    for (const [display, outputs] of this.#displays) display.remove(outputs);
    this.#displays.clear();
  }
}

/** An error that fits in anywhere: of its traceback the end, where the exception is. */
function shortened({ output_type, ename, evalue, traceback }: ErrorOutput): ErrorOutput {
  const text = traceback.join('\n');
  return {
    output_type,
    ename: firstBytes(ename, 256),
    evalue: firstBytes(evalue, MIN_ERROR_BYTES / 2),
    traceback: [text.length > MIN_ERROR_BYTES / 2 ? `…${text.slice(-MIN_ERROR_BYTES / 2)}` : text],
  };
}
