/** About how long a piece is, in characters. */
const PIECE_CHARS = 256 * 1024;

/**
 * The text that `JSON.stringify` makes of plain JSON data, in pieces: a notebook's whole text beside the notebook itself
 * would be as much memory again, in one block.
 */
export function* jsonPieces(value: unknown): Generator<string> {
  let held = '';
  for (const part of partsOf(value)) {
    held += part;
    if (held.length < PIECE_CHARS) continue;
    yield held;
    held = '';
  }
  if (held !== '') yield held;
}

function* partsOf(value: unknown): Generator<string> {
  if (!isLarge(value)) yield JSON.stringify(value) ?? 'null';
  else if (typeof value === 'string') yield* partsOfString(value);
  else if (Array.isArray(value)) {
    yield '[';
    let comma = '';
    for (const item of value) {
      yield comma;
      yield* partsOf(item);
      comma = ',';
    }
    yield ']';
  } else {
    yield '{';
    let comma = '';
    for (const [key, item] of Object.entries(value as object)) {
      if (item === undefined) continue;
      yield `${comma}${JSON.stringify(key)}:`;
      yield* partsOf(item);
      comma = ',';
    }
    yield '}';
  }
}

/** A surrogate pair that is cut in two becomes two escapes, which are read as the pair again. */
function* partsOfString(text: string): Generator<string> {
  yield '"';
  for (let from = 0; from < text.length; from += PIECE_CHARS) {
    yield JSON.stringify(text.slice(from, from + PIECE_CHARS)).slice(1, -1);
  }
  yield '"';
}

/** Whether a value's text is longer than a piece, near enough; looks no further than it has to. */
function isLarge(value: unknown): boolean {
  const rest = [value];
  let chars = 0;
  for (let next = rest.pop(); chars <= PIECE_CHARS; next = rest.pop()) {
    if (typeof next === 'string') chars += next.length;
    else if (typeof next === 'object' && next !== null) {
      for (const [key, child] of Object.entries(next)) {
        chars += key.length;
        rest.push(child);
      }
    }
    chars += 4;
    if (rest.length === 0) break;
  }
  return chars > PIECE_CHARS;
}
