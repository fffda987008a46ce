/** What the line that begins a cell says of it, as jupytext writes it: `Title tags=["a", "b"] key="value"`, or an object of JSON. */
import { parse } from 'yaml';

const PAIR =
  /(?:^|\s)([\w.:-]+)\s*=\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[[^\]]*\]|\{[^}]*\}|[^\s"'[{]+)/g;
/** In front of it there is no `key=`. */
const OBJECT = /^[^={]*(\{.*\})\s*$/;

/** Of a line: patterns look at its parts again and again, and files may be anyone's. */
const MAX_CHARS = 2_000;

/** The cell's metadata; what cannot be read is part of the title, which is for people. */
export function cellOptions(text: string): Record<string, unknown> {
  if (text.length > MAX_CHARS) return {};
  const object = parsed(OBJECT.exec(text)?.[1] ?? '');
  if (typeof object === 'object' && object !== null) return withTags({ ...object });
  const pairs = [...text.matchAll(PAIR)].flatMap(([, key, value]) => {
    const read = parsed(value as string);
    return read === undefined ? [] : [[key as string, read] as const];
  });
  return withTags(Object.fromEntries(pairs));
}

/** Tags are a list in a notebook; people write one of them as a word, or several with commas between them. */
export function withTags(options: Record<string, unknown>): Record<string, unknown> {
  const { tags } = options;
  if (typeof tags !== 'string') return options;
  return { ...options, tags: tags.split(/[\s,]+/).filter((tag) => tag !== '') };
}

/** JSON, or the same in Python's words: YAML has the quotes and the case of both. A word alone is a word of the title. */
function parsed(value: string): unknown {
  try {
    const read: unknown = parse(value, { logLevel: 'error' });
    return typeof read === 'string' && !/^["']/.test(value) ? undefined : (read ?? undefined);
  } catch {
    return undefined;
  }
}
