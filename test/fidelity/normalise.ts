import type { Notebook } from '../../lib/contract/nbformat.ts';

/** A notebook as JSON has it. */
export type Json = Record<string, unknown>;

/**
 * Rewrites what differs from run to run, and what nbformat leaves open, so that two executions of one notebook can be
 * compared as a whole:
 *
 * - times in `metadata.execution` (their names stay), memory addresses, process ids in paths, ids of widgets (numbered
 *   by their first appearance), ids of cells that the source does not have;
 * - text as a list of lines is joined, adjacent streams of one name are one.
 */
export function normalise(executed: Notebook, source: Notebook): Notebook {
  const known = new Set(source.cells.map((cell) => cell.id));
  const copy = structuredClone(executed) as unknown as Json & { cells: Json[]; metadata: Json };
  const cells = copy.cells.map((cell) => normaliseCell(cell, known));
  // Widgets first: their state lists them in the order in which they came into being.
  const widgets = new Map<string, string>();
  const metadata = eachString(copy.metadata, (text) => stable(text, widgets));
  const rest = eachString(cells, (text) => stable(text, widgets));
  return { ...copy, metadata, cells: rest } as unknown as Notebook;
}

function normaliseCell(cell: Json, known: Set<string | undefined>): Json {
  const copy: Json = { ...cell, source: joined(cell['source']) };
  if ('id' in cell && !known.has(cell['id'] as string)) copy['id'] = 'made up';
  const { execution } = cell['metadata'] as { execution?: Json };
  if (execution !== undefined) {
    const times = Object.entries(execution).map(([name, time]) => [name, isTime(time) ? 'a time' : time]);
    copy['metadata'] = { ...(cell['metadata'] as Json), execution: Object.fromEntries(times) };
  }
  if (Array.isArray(cell['outputs'])) copy['outputs'] = normaliseOutputs(cell['outputs'] as Json[]);
  return copy;
}

export function normaliseOutputs(outputs: Json[]): Json[] {
  const coalesced: Json[] = [];
  for (const output of outputs) {
    const copy: Json = { ...output };
    if ('text' in copy) copy['text'] = joined(copy['text']);
    if ('data' in copy) copy['data'] = normaliseData(copy['data'] as Json);
    const last = coalesced.at(-1);
    if (
      copy['output_type'] === 'stream' &&
      last?.['output_type'] === 'stream' &&
      last['name'] === copy['name']
    ) {
      last['text'] = String(last['text']) + String(copy['text']);
    } else {
      coalesced.push(copy);
    }
  }
  return coalesced;
}

/** nbformat's lists of lines; a list under a JSON type is a list. */
function normaliseData(data: Json): Json {
  return Object.fromEntries(
    Object.entries(data).map(([mime, value]) => [mime, /[/+]json$/.test(mime) ? value : joined(value)]),
  );
}

function joined(text: unknown): unknown {
  return Array.isArray(text) && text.every((line) => typeof line === 'string') ? text.join('') : text;
}

function isTime(value: unknown): boolean {
  return (
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value) && Date.parse(value) > RECENT
  );
}
/** Times that a notebook of the corpus brought along are older. */
const RECENT = Date.parse('2025-01-01');

/** Ids of widgets: 32 hexadecimal digits, as ipywidgets and comm make them. */
const WIDGET_ID = /\b(IPY_MODEL_)?([0-9a-f]{32})\b/g;

function stable(text: string, widgets: Map<string, string>): string {
  return text
    .replaceAll(WIDGET_ID, (_, prefix: string | undefined, id: string) => {
      const name = widgets.get(id) ?? `widget ${widgets.size + 1}`;
      widgets.set(id, name);
      return `${prefix ?? ''}${name}`;
    })
    .replaceAll(/\b0x[0-9a-f]{8,}\b/g, '0x…')
    .replaceAll(/ipykernel_\d+\/\d+/g, 'ipykernel_…/…');
}

/** A copy with each string, keys of objects included, rewritten. */
function rewritten(value: unknown, rewrite: (text: string) => string): unknown {
  if (typeof value === 'string') return rewrite(value);
  if (Array.isArray(value)) return value.map((item) => rewritten(item, rewrite));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [rewrite(key), rewritten(item, rewrite)]),
  );
}

function eachString<T>(value: T, rewrite: (text: string) => string): T {
  return rewritten(value, rewrite) as T;
}
