/** Parameters of notebooks, as people write them in YAML and as the service takes them. */
import { parse } from 'yaml';
import { z } from 'zod';

/** How YAML is read that may hold parameters: whole numbers with all of their digits. */
export const AS_WRITTEN = { merge: true, intAsBigInt: true } as const;

/**
 * Names and values as they are sent. They are read with {@link AS_WRITTEN}: integers are bigints. JSON as the service
 * reads it has one kind of numbers, with 53 bits: 2.0 comes as 2, which is equal, and what would come as another value is an
 * issue, at its path.
 */
export const parameters = z.record(z.string(), z.unknown()).transform((written, context) => {
  try {
    return sendable(written, []) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof NotSendable)) throw error;
    context.addIssue({ code: 'custom', path: error.path, message: error.message });
    return z.NEVER;
  }
});

/**
 * The parameters in a text of YAML, numbers as they are written.
 *
 * @throws {Error} when it is no YAML, or holds no names and values
 */
export function readParameters(text: string): Record<string, unknown> {
  const value: unknown = parse(text, AS_WRITTEN);
  if (typeof value === 'object' && value !== null && isPlain(value)) return value as Record<string, unknown>;
  throw new Error('should hold names and values, such as "n: 100"');
}

class NotSendable extends Error {
  readonly path: string[];

  constructor(path: readonly string[], message: string) {
    super(message);
    this.path = [...path];
  }
}

/** @param above the objects that hold it */
function sendable(value: unknown, path: readonly string[], above: readonly object[] = []): unknown {
  if (typeof value === 'bigint') return integer(value, path);
  if (typeof value === 'number') return float(value, path);
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value) && !isPlain(value))
    throw new NotSendable(path, `JSON has no dates, sets and binary data; write ${AS_TEXT}`);
  if (above.includes(value)) throw new NotSendable(path.slice(0, 1), 'a value holds itself');
  const inside = [...above, value];
  const entries = Object.entries(value).map(
    ([name, part]) => [name, sendable(part, [...path, name], inside)] as const,
  );
  return Array.isArray(value) ? entries.map(([, part]) => part) : Object.fromEntries(entries);
}

/** Whether it is an object of names and values: YAML's timestamps, sets and binary data come as objects of other classes. */
const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype;

const AS_TEXT = 'a text (in YAML: in quotes) that the notebook converts';

/** Of a number in a message. */
const MOST_DIGITS = 40;

function integer(value: bigint, path: readonly string[]): number {
  if (Number.isSafeInteger(Number(value))) return Number(value);
  const digits = value.toString();
  const shown = digits.length > MOST_DIGITS ? `${digits.slice(0, MOST_DIGITS)}…` : digits;
  throw new NotSendable(path, `${shown} has more digits than can be sent; write ${AS_TEXT}`);
}

function float(value: number, path: readonly string[]): number {
  if (!Number.isFinite(value)) throw new NotSendable(path, 'JSON has neither NaN nor infinity');
  return value;
}
