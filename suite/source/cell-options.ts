/** What the line that begins a cell says of it, as jupytext writes it: `Title tags=["a", "b"] key="value"`, or an object of JSON. */

const PAIR = /(?:^|\s)([\w.:-]+)\s*=\s*("(?:\\.|[^"\\])*"|\[[^\]]*\]|\{[^}]*\}|[^\s"[{]+)/g;

/** The cell's metadata; what cannot be read is part of the title, which is for people. */
export function cellOptions(text: string): Record<string, unknown> {
  const object = parsed(/\{.*\}\s*$/.exec(text)?.[0] ?? '');
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

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
