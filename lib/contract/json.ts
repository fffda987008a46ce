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

function nestingDepthExceeds(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c /* \ */) i++;
      else if (code === 0x22 /* " */) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b /* [ */ || code === 0x7b /* { */) {
      if (++depth > limit) return true;
    } else if (code === 0x5d /* ] */ || code === 0x7d /* } */) depth--;
  }
  return false;
}
