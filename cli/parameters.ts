import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { jsonProblem } from '../suite/json-value.ts';
import { UsageError } from './exit-code.ts';

/**
 * The parameters of a file, and those given one by one, which count more; undefined when there are none.
 *
 * @throws {UsageError}
 */
export async function parametersOf(
  file: string | undefined,
  given: readonly string[],
): Promise<Record<string, unknown> | undefined> {
  const all = {
    ...(file === undefined ? {} : await readParameters(file)),
    ...Object.fromEntries(given.map(pair)),
  };
  return Object.keys(all).length > 0 ? all : undefined;
}

async function readParameters(file: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'), { merge: true });
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${file}: should hold names and values`);
  }
  const problem = jsonProblem(value);
  if (problem !== undefined) throw new UsageError(`${file}: ${problem}`);
  return value as Record<string, unknown>;
}

function pair(text: string): [string, unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`-p ${text}: should be name=value`);
  return [text.slice(0, at), valueOf(text, text.slice(at + 1))];
}

const WORDS = new Map<string, boolean | null>([
  ['True', true],
  ['False', false],
  ['None', null],
]);

// What Python's int and float take.
const DIGITS = String.raw`\d+(?:_\d+)*`;
const INT = new RegExp(`^[+-]?${DIGITS}$`);
const FLOAT = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, 'i');
const NO_NUMBER = /^[+-]?(?:nan|inf|infinity)$/i;

/** By the rule of papermill's `-p`: Python's True, False and None, what its int or float take, else the text as it is. */
function valueOf(given: string, text: string): unknown {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const number = text.trim();
  if (!FLOAT.test(number) && !NO_NUMBER.test(number)) return text;
  const value = Number(number.replaceAll('_', ''));
  if (!Number.isFinite(value)) throw new UsageError(`-p ${given}: JSON has no such number${AS_TEXT}`);
  if (INT.test(number) && !Number.isSafeInteger(value)) {
    throw new UsageError(`-p ${given}: it has more digits than can be sent${AS_TEXT}`);
  }
  return value;
}

const AS_TEXT = '; a text is given in quotes in a file of --parameters';
