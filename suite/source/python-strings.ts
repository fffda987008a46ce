/** What a string in three quotes begins with, strings of one line, and comments. */
const CODE = /"""|'''|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|#/g;
const IN_STRING = /\\.|"""|'''/g;

/** Follows Python's strings in three quotes from line to line. */
export class OpenStrings {
  #quote: string | undefined;

  get areOpen(): boolean {
    return this.#quote !== undefined;
  }

  read(line: string): void {
    for (let at = 0; ;) {
      const token = this.#quote === undefined ? CODE : IN_STRING;
      token.lastIndex = at;
      const found = token.exec(line)?.[0];
      if (found === undefined || found === '#') return;
      at = token.lastIndex;
      if (found === this.#quote) this.#quote = undefined;
      else if (this.#quote === undefined && (found === '"""' || found === "'''")) this.#quote = found;
    }
  }
}
