import type { DisplayOutput } from './output-area.ts';
import { bytesOf, type OutputBudget } from './output-budget.ts';

type Bundle = Pick<DisplayOutput, 'data' | 'metadata'>;

/**
 * What is shown under one display_id ("Update display data"). Whenever a message comes with the id, all outputs under it
 * show the same: so they share one bundle, and an update costs the same however many they are.
 */
export class Display {
  readonly #id: string;
  readonly #known: Map<string, Display>;
  readonly #budget: OutputBudget;
  readonly #bundle: Bundle;
  /** Of the bundle, once. */
  #bytes = 0;
  #outputs = 0;

  constructor(id: string, known: Map<string, Display>, budget: OutputBudget, { metadata, data }: Bundle) {
    this.#id = id;
    this.#known = known;
    this.#budget = budget;
    // A copy, as the message may be on its way to somebody else still.
    this.#bundle = { metadata: { ...metadata }, data: { ...data } };
    this.#bytes = bytesOf(metadata) + bytesOf(data);
  }

  /** Shows something else in all outputs, unless there is no room for it. */
  update({ metadata, data }: Bundle): boolean {
    const bytes = bytesOf(metadata) + bytesOf(data);
    const more = this.#outputs * (bytes - this.#bytes);
    if (more > this.#budget.freeBytes) {
      this.#budget.cut(more);
      return false;
    }
    this.#budget.take(more, 0);
    this.#bytes = bytes;
    overwrite(this.#bundle.metadata, metadata);
    overwrite(this.#bundle.data, data);
    return true;
  }

  /**
   * Makes an output one of those under the id; it must show the same already.
   *
   * @returns the bytes that are counted here from now on, and no more by whoever keeps the output
   */
  add(output: DisplayOutput): number {
    Object.assign(output, this.#bundle);
    this.#outputs++;
    this.#known.set(this.#id, this);
    this.#budget.take(this.#bytes, 0);
    return this.#bytes;
  }

  /** Forgets so many of its outputs. */
  remove(outputs: number): void {
    this.#outputs -= outputs;
    this.#budget.take(-outputs * this.#bytes, 0);
    if (this.#outputs === 0) this.#known.delete(this.#id);
  }
}

/** The displays of a notebook, by display_id, as long as they have outputs. */
export class Displays {
  readonly #known = new Map<string, Display>();
  readonly #budget: OutputBudget;

  constructor(budget: OutputBudget) {
    this.#budget = budget;
  }

  /** Any message with a known display_id replaces what is shown under it, a further display_data too. False if it cannot. */
  update(id: string, bundle: Bundle): boolean {
    return this.#known.get(id)?.update(bundle) ?? true;
  }

  /** The display an output with this id belongs to; a new one is known once it has an output. */
  of(id: string, output: DisplayOutput): Display {
    return this.#known.get(id) ?? new Display(id, this.#known, this.#budget, output);
  }
}

/** Makes one object show what another has, in its order. Not by assigning: a key may be `__proto__`. */
function overwrite(target: object, source: object): void {
  for (const key of Object.keys(target)) Reflect.deleteProperty(target, key);
  Object.defineProperties(target, Object.getOwnPropertyDescriptors(source));
}
