import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { MAX_EVENTS } from '../../../lib/queue/live-events.ts';

// A notebook that has ended by then is told of in one go.
const FIRST_WRITE_MS = 50;
const INTERVAL_MS = 250;
/** Of one output, of what is written at once, and of all that a run shows live; the notebook itself has everything. */
const MAX_OUTPUT_CHARS = 16 * 1024;
const MAX_WRITE_CHARS = 64 * 1024;
const MAX_RUN_CHARS = 4 * 1024 * 1024;
/** By so much errors may exceed the latter two: they say most. */
const ERROR_CHARS = 64 * 1024;

type OutputEvent = Extract<LiveEvent, { type: 'output' }>;

/**
 * Passes on what happens in a run, a few times a second at most. Nothing waits for it, and it holds little: while one
 * write is under way no other begins, and where outputs beyond the limits are left out, it says so.
 */
export class LiveReport {
  readonly #write: (events: LiveEvent[]) => Promise<void>;
  #held: LiveEvent[] = [];
  #heldChars = 0;
  #runChars = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #begun = false;
  #closed = false;
  #saidCut = false;

  /** @param write never rejects */
  constructor(write: (events: LiveEvent[]) => Promise<void>) {
    this.#write = write;
  }

  take(event: LiveEvent): void {
    if (this.#closed) return;
    if (event.type === 'output') this.#output(event);
    else this.#hold(event);
  }

  /** Writes what is still held, and with it how the job ended, if that is known; takes no more. */
  async close(end?: LiveEvent): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    if (end) this.#held.push(end);
    await this.#writing;
    await this.#flush();
  }

  #output(event: OutputEvent): void {
    const { output } = event;
    const left = Math.min(MAX_WRITE_CHARS - this.#heldChars, MAX_RUN_CHARS - this.#runChars);
    if (left + (output.output_type === 'error' ? ERROR_CHARS : 0) <= 0) return this.#leaveOut(event);
    const last = this.#held.at(-1);
    if (isText(output) && last?.type === 'output' && last.cell_index === event.cell_index) {
      const text = last.output;
      if (isText(text) && text.name === output.name) {
        const joined = tail(text.text + output.text);
        this.#count(joined.length - text.text.length);
        if (joined.length < text.text.length + output.text.length) last.truncated = true;
        text.text = joined;
        return;
      }
    }
    this.#hold(bounded(event));
  }

  /** Marks the output after which others are missing; an empty one, once, where all before have been written. */
  #leaveOut({ cell_index }: OutputEvent): void {
    const last = this.#held.findLast((event) => event.type === 'output');
    if (last) last.truncated = true;
    else if (!this.#saidCut) {
      this.#saidCut = true;
      const output = { output_type: 'stream', name: 'stdout', text: '' };
      this.#hold({ type: 'output', cell_index, output, truncated: true });
    }
  }

  #hold(event: LiveEvent): void {
    if (this.#held.length >= MAX_EVENTS) this.#held.shift();
    this.#held.push(event);
    if (event.type === 'output') this.#count(roughChars(event.output, MAX_OUTPUT_CHARS));
    this.#timer ??= setTimeout(() => void this.#tick(), this.#begun ? INTERVAL_MS : FIRST_WRITE_MS);
    this.#begun = true;
  }

  #count(chars: number): void {
    this.#heldChars += chars;
    this.#runChars += chars;
  }

  async #tick(): Promise<void> {
    this.#writing = this.#flush();
    await this.#writing;
    this.#writing = undefined;
    this.#timer = undefined;
    if (this.#held.length === 0 || this.#closed) return;
    this.#timer = setTimeout(() => void this.#tick(), INTERVAL_MS);
  }

  async #flush(): Promise<void> {
    const events = this.#held;
    this.#held = [];
    this.#heldChars = 0;
    if (events.length > 0) await this.#write(events);
  }
}

interface TextOutput {
  output_type: 'stream';
  name: string;
  text: string;
}

const isText = (output: OutputEvent['output']): output is OutputEvent['output'] & TextOutput =>
  output.output_type === 'stream' && typeof output['text'] === 'string';

/** Of text the newest is worth most. */
const tail = (text: string): string =>
  text.length > MAX_OUTPUT_CHARS ? text.slice(-MAX_OUTPUT_CHARS) : text;

/** A copy within the limit: what a watcher holds must not change under it, and the notebook's outputs go on to. */
function bounded(event: OutputEvent): OutputEvent {
  const { output } = event;
  if (isText(output)) {
    const text = tail(output.text);
    return { ...event, output: { ...output, text }, ...(text === output.text ? {} : { truncated: true }) };
  }
  if (roughChars(output, MAX_OUTPUT_CHARS) < MAX_OUTPUT_CHARS) return { ...event, output: { ...output } };
  const small: Record<string, unknown> & { output_type: string } = { output_type: output.output_type };
  for (const [name, value] of Object.entries(output)) {
    if (name === 'data') small[name] = smallParts(value as object);
    else if (name === 'traceback' && Array.isArray(value)) small[name] = [tail(value.join('\n'))];
    else if (output.output_type === 'error' && typeof value === 'string') small[name] = value.slice(0, 1_024);
    else if (roughChars(value, MAX_OUTPUT_CHARS) < MAX_OUTPUT_CHARS / 8) small[name] = value;
  }
  return { ...event, output: small, truncated: true };
}

/** The representations of a mime bundle that are small enough, text/plain mostly. */
function smallParts(data: object): object {
  const parts = Object.entries(data).filter(
    ([, value]) => roughChars(value, MAX_OUTPUT_CHARS) < MAX_OUTPUT_CHARS / 4,
  );
  return Object.fromEntries(parts);
}

/** About how long a value is as JSON; stops to count at the limit, as writing it all would take its time. */
function roughChars(value: unknown, limit: number): number {
  const pending = [value];
  let chars = 0;
  while (pending.length > 0 && chars < limit) {
    const next = pending.pop();
    chars += 2;
    if (typeof next === 'string') chars += next.length;
    else if (typeof next === 'number') chars += 8;
    else if (Array.isArray(next)) for (const item of next.slice(0, limit)) pending.push(item);
    else if (typeof next === 'object' && next !== null) {
      for (const [key, item] of Object.entries(next)) {
        chars += key.length;
        pending.push(item);
      }
    }
  }
  return chars;
}
