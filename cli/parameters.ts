import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { UsageError } from './exit-code.ts';

/** The parameters of a file, and those given one by one, which count more; undefined when there are none. */
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
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${file}: should hold names and values`);
  }
  return value as Record<string, unknown>;
}

/** As papermill's `-p`: `n=3` is a number, `name=M31` a text; `n='3'` a text, too. */
function pair(text: string): [string, unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`-p ${text}: should be name=value`);
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), parse(value)];
  } catch {
    return [text.slice(0, at), value];
  }
}
