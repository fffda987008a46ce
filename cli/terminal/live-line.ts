import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';

/** How often it is drawn anew. */
const EVERY_MS = 200;

/** The last line of a terminal, which says what happens now; other text goes above it. Silent where there is no terminal. */
export class LiveLine implements Disposable {
  readonly #stream: WriteStream | undefined;
  readonly #text: () => string;
  readonly #timer: NodeJS.Timeout | undefined;
  #isShown = false;

  /** @param text what to show now; it is cut at the width of the terminal */
  constructor(stream: NodeJS.WritableStream, text: () => string) {
    this.#text = text;
    if ((stream as Partial<WriteStream>).isTTY !== true) return;
    this.#stream = stream as WriteStream;
    this.#timer = setInterval(() => this.#draw(), EVERY_MS).unref();
  }

  /** Writes whole lines above the line. */
  above(write: () => void): void {
    this.#clear();
    write();
    this.#draw();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #draw(): void {
    if (!this.#stream) return;
    this.#clear();
    // What is too long would begin another line, which nobody takes back. A terminal that does not know its width says 0.
    const letters = Array.from(new Intl.Segmenter().segment(this.#text()), ({ segment }) => segment);
    this.#stream.write(letters.slice(0, (this.#stream.columns || 80) - 1).join(''));
    this.#isShown = true;
  }

  #clear(): void {
    if (!this.#stream || !this.#isShown) return;
    clearLine(this.#stream, 0);
    cursorTo(this.#stream, 0);
    this.#isShown = false;
  }
}
