const FENCE = /^ {0,3}(?<fence>`{3,}|~{3,})/;
const END = /^\s*(?<fence>`{3,}|~{3,})\s*$/;

/** Follows the fences of Markdown from line to line; one that no later line ends is none. */
export class Fences {
  readonly #lines: readonly string[];
  /** For each line, the longest ends among it and those behind it: one look tells whether there is one, in a file of any size. */
  readonly #ends: { [kind: string]: number }[] = [];
  #open: string | undefined;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
    let longest: { [kind: string]: number } = {};
    for (const [index, line] of [...lines.entries()].toReversed()) {
      const end = END.exec(line)?.groups?.['fence'];
      const kind = end?.charAt(0) ?? '';
      if (end !== undefined && end.length > (longest[kind] ?? 0))
        longest = { ...longest, [kind]: end.length };
      this.#ends[index] = longest;
    }
  }

  get areOpen(): boolean {
    return this.#open !== undefined;
  }

  read(index: number): void {
    const line = this.#lines[index] as string;
    if (this.#open !== undefined) {
      if (END.exec(line)?.groups?.['fence']?.startsWith(this.#open)) this.#open = undefined;
      return;
    }
    const fence = FENCE.exec(line)?.groups?.['fence'] ?? '';
    const ends = this.#ends[index + 1]?.[fence.charAt(0)] ?? 0;
    if (fence !== '' && ends >= fence.length) this.#open = fence;
  }
}
