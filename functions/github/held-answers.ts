import { unavailable } from '../../lib/http/http-error.ts';

/**
 * Bounds the memory of answers that are large: their bytes count from before they are read until the caller has taken them, or has
 * gone. Bodies of requests are counted apart, so that who downloads slowly keeps nobody from telling something.
 */
export class HeldAnswers {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * @param signal aborted when the request is over
   * @param mostBytes what it may come to
   * @throws {HttpError} 503 when that would be too much at once; and what `read` throws
   */
  async hold<T extends string | Buffer | undefined>(
    signal: AbortSignal,
    mostBytes: number,
    read: () => Promise<T>,
  ): Promise<T> {
    if (this.#bytes + mostBytes > this.#maxBytes)
      throw unavailable('Too much is being downloaded at once, please try again');
    let content: T;
    this.#bytes += mostBytes;
    try {
      content = await read();
    } finally {
      this.#bytes -= mostBytes;
    }
    if (content === undefined || signal.aborted) return content;
    const bytes = Buffer.byteLength(content);
    this.#bytes += bytes;
    signal.addEventListener('abort', () => (this.#bytes -= bytes), { once: true });
    return content;
  }
}
