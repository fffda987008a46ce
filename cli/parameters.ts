import { readFile } from 'node:fs/promises';
import { readParameters } from '../suite/parameters.ts';
import { UsageError } from './exit-code.ts';

/**
 * The parameters of a file, and those given one by one, which count more, as they are written; undefined when there are none.
 *
 * @throws {UsageError}
 */
export async function parametersOf(
  file: string | undefined,
  given: readonly string[],
): Promise<Record<string, unknown> | undefined> {
  const all = {
    ...(file === undefined ? {} : await parametersIn(file)),
    ...Object.fromEntries(given.map(pair)),
  };
  return Object.keys(all).length > 0 ? all : undefined;
}

async function parametersIn(file: string): Promise<Record<string, unknown>> {
  try {
    return readParameters(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

function pair(text: string): [string, unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`-p ${text}: should be name=value`);
  return [text.slice(0, at), valueOf(text.slice(at + 1))];
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
function valueOf(text: string): unknown {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const number = text.trim();
  const plain = number.replaceAll('_', '');
  if (INT.test(number)) return BigInt(plain);
  return FLOAT.test(number) || NO_NUMBER.test(number) ? Number(plain) : text;
}
