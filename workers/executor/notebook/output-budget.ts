export interface OutputLimits {
  /** What all outputs and widgets of a notebook may come to, in bytes of their text. */
  maxOutputBytes: number;
  /** How many outputs a notebook may have in all its cells; prints in a row are one. */
  maxOutputs: number;
}

/** A notebook of this size can still be opened, and submitted again. Its executor needs about five times as much. */
export const DEFAULT_OUTPUT_LIMITS: OutputLimits = { maxOutputBytes: 24 * 2 ** 20, maxOutputs: 100_000 };

/**
 * The largest message that is worth taking from a kernel: nothing larger could be kept. JSON's escapes have room, and
 * what is only a little too large is cut, which is kinder than the end of the run.
 */
export function maxMessageBytes({ maxOutputBytes }: OutputLimits): number {
  return Math.max(32 * 2 ** 20, Math.ceil((4 / 3) * maxOutputBytes));
}

/** A notebook that has had as many times the limit cut off is not going to come to anything. */
const RUNAWAY_FACTOR = 10;

/** The run was stopped, because the notebook's outputs went far beyond what is kept of them. */
export class OutputLimitError extends Error {
  override readonly name = 'OutputLimitError';
}

/**
 * What a notebook's outputs come to, and what was left out of them. What is cleared or replaced is given back, so that
 * a progress bar may go on for ever.
 */
export class OutputBudget {
  readonly limits: OutputLimits;
  #bytes = 0;
  #outputs = 0;
  #cutBytes = 0;
  #cutOutputs = 0;
  #removeLast: () => void = () => undefined;

  constructor(limits: OutputLimits = DEFAULT_OUTPUT_LIMITS) {
    this.limits = limits;
  }

  get freeBytes(): number {
    return Math.max(0, this.limits.maxOutputBytes - this.#bytes);
  }

  get hasFreeOutput(): boolean {
    return this.#outputs < this.limits.maxOutputs;
  }

  get wasCut(): boolean {
    return this.#cutOutputs > 0;
  }

  /** Whether more was cut than a person's oversight explains. */
  get isRunaway(): boolean {
    const { maxOutputBytes, maxOutputs } = this.limits;
    return this.#cutBytes > RUNAWAY_FACTOR * maxOutputBytes || this.#cutOutputs > RUNAWAY_FACTOR * maxOutputs;
  }

  /** Counts what is kept; negative for what is given back. */
  take(bytes: number, outputs: number): void {
    this.#bytes += bytes;
    this.#outputs += outputs;
  }

  /** Counts an output that is left out, or the part of it that is. */
  cut(bytes: number): void {
    if (Number.isFinite(bytes)) this.#cutBytes += bytes;
    this.#cutOutputs++;
  }

  /**
   * Lets one thing be shown for which there is no room, in the whole notebook: what was before has to go.
   *
   * @param remove takes it away again
   */
  showBeyond(remove: () => void): void {
    this.#removeLast();
    this.#removeLast = remove;
  }

  /** What the notebook says where something was left out of it. */
  notice(): string {
    return `[noteburst] Output was cut here: ${this.#rule()}\n`;
  }

  /** What the job says. */
  warning(): string {
    return `Some of the notebook's output was cut: ${this.#rule()}`;
  }

  #rule(): string {
    const size = (this.limits.maxOutputBytes / 2 ** 20).toLocaleString('en', { maximumFractionDigits: 3 });
    return `a notebook may have ${size} MiB in ${this.limits.maxOutputs.toLocaleString('en')} outputs, all cells together`;
  }
}

/** Deeper values cannot be read again: parsers of notebooks, ours included, refuse them. */
const MAX_DEPTH = 90;

/** Bytes of a JSON value's text, near enough; infinite for one that is nested too deeply to be kept. */
export function bytesOf(value: unknown): number {
  let bytes = 0;
  // Not recursive: how deep it goes is up to whoever wrote the notebook.
  const rest: [value: unknown, depth: number][] = [[value, 0]];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const [item, depth] = next;
    if (typeof item === 'string') bytes += Buffer.byteLength(item) + 2;
    else if (typeof item !== 'object' || item === null) bytes += 4;
    else {
      if (depth > MAX_DEPTH) return Infinity;
      bytes += 2;
      for (const [key, child] of Object.entries(item)) {
        bytes += Array.isArray(item) ? 2 : key.length + 5;
        rest.push([child, depth + 1]);
      }
    }
  }
  return bytes;
}

/** The start of a text, at most so many bytes of it; never half a character. */
export function firstBytes(text: string, bytes: number): string {
  const encoded = Buffer.from(text.slice(0, bytes));
  if (encoded.length <= bytes) return encoded.toString();
  let end = bytes;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end--;
  return encoded.toString('utf8', 0, end);
}

/** Things that replace one another by name, each counted as large as it is now. */
export class BudgetedEntries {
  readonly #budget: OutputBudget;
  readonly #sizes = new Map<string, number>();

  constructor(budget: OutputBudget) {
    this.#budget = budget;
  }

  /** Whether there is room for the new value; then it is counted in the old one's place. */
  replace(name: string, bytes: number): boolean {
    const more = bytes - (this.#sizes.get(name) ?? 0);
    if (more > this.#budget.freeBytes) {
      this.#budget.cut(more);
      return false;
    }
    this.#budget.take(more, 0);
    this.#sizes.set(name, bytes);
    return true;
  }
}
