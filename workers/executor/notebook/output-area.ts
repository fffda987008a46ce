import type { Output } from '../../../lib/contract/nbformat.ts';

/**
 * An ordered list of outputs under `clear_output`: that of a cell, or of an Output widget.
 *
 * Adjacent streams of one name become one output, as every frontend shows them; nbclient leaves one output for each
 * flush of the kernel's buffer, so its files differ from run to run. Appending a string to a string is constant time
 * in V8 (a rope, flattened once when read), so that 10⁵ prints stay linear.
 */
export class OutputArea {
  outputs: Output[];
  /** Called with each emptying, as positions of outputs no longer hold. */
  readonly #onClear: () => void;
  #clearBeforeNext = false;

  constructor(outputs: Output[] = [], onClear: () => void = () => undefined) {
    this.outputs = outputs;
    this.#onClear = onClear;
  }

  /** Adds an output; what a `clear_output(wait=True)` left goes first. */
  append(output: Output): void {
    if (this.#clearBeforeNext) this.#empty();
    const last = this.outputs.at(-1);
    if (output.output_type === 'stream' && last?.output_type === 'stream' && last.name === output.name) {
      last.text = (last.text as string) + (output.text as string);
    } else {
      this.outputs.push(output);
    }
  }

  /** "Clear output": at once, or with `wait` as the next output comes. */
  clear(wait: boolean): void {
    if (wait) this.#clearBeforeNext = true;
    else this.#empty();
  }

  #empty(): void {
    this.#clearBeforeNext = false;
    this.outputs = [];
    this.#onClear();
  }
}
