/** Deeper documents only serve to exhaust a recursive reader's stack; real notebooks stay below twenty. */
export const MAX_JSON_DEPTH = 100;

/**
 * `JSON.parse` for text from strangers: refuses documents nested deeper than {@link MAX_JSON_DEPTH} before
 * parsing them, without recursion.
 *
 * @throws {SyntaxError} with a message that never repeats the text itself
 */
export function parseBoundedJson(text: string): unknown {
  if (nestingDepthExceeds(text, MAX_JSON_DEPTH)) {
    throw new SyntaxError(`nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes the text around the fault, and bodies belong in no log or answer: keep the place only.
    const { message } = error as Error;
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(message)?.[0] ?? '';
    const hint = message.startsWith('Unexpected end') ? '(is it cut off?)' : place;
    throw new SyntaxError(`syntax error ${hint}`.trimEnd());
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b /* [ */, 0x7b /* { */]);
const CLOSING = new Set([0x5d /* ] */, 0x7d /* } */]);

/** Most of a notebook's text is in strings, which are passed over by `indexOf`, a tenth of the time of a loop. */
function nestingDepthExceeds(text: string, limit: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at + 1);
    else if (OPENING.has(code)) {
      if (++depth > limit) return true;
    } else if (CLOSING.has(code)) depth--;
  }
  return false;
}

/** Where the quote is that ends a string, or the text's end. @param from behind the quote that begins it */
function endOfString(text: string, from: number): number {
  for (let begin = from; ;) {
    const quote = text.indexOf('"', begin);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    // Of an even number each pair is one character of the string, and the quote its end.
    if (backslashes % 2 === 0) return quote;
    begin = quote + 1;
  }
}
