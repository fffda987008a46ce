import { parseDocument } from 'yaml';
import { InvalidNotebookError } from '../../lib/contract/nbformat.ts';

/** What a text file says of itself in front of its text: YAML between two lines of `---`. */
export interface FrontMatter {
  header: Record<string, unknown>;
  /** How many of the lines it takes. */
  lines: number;
}

const NONE: FrontMatter = { header: {}, lines: 0 };

/**
 * @param lines uncommented
 * @param line of the file, from 1, where they begin
 * @throws {InvalidNotebookError} when it is not YAML
 */
export function frontMatter(lines: readonly string[], line = 1): FrontMatter {
  if (lines[0]?.trimEnd() !== '---') return NONE;
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end === -1) return NONE;
  return { header: yamlObject(lines.slice(1, end), line + 1), lines: end + 1 };
}

/**
 * @param line of the file, from 1, where they begin
 * @throws {InvalidNotebookError}
 */
export function yamlObject(lines: readonly string[], line: number): Record<string, unknown> {
  // Empty lines in front, so that errors name lines of the file.
  const document = parseDocument('\n'.repeat(line - 1) + lines.join('\n'));
  const [problem] = document.errors;
  if (problem) throw new InvalidNotebookError(`The YAML in the file is not valid: ${problem.message}`);
  // Few references: they can be nested until they unfold into more than the memory holds.
  const value = attempt(() => document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : {};
}

const MAX_ALIASES = 100;

function attempt<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new InvalidNotebookError(`The YAML in the file is not valid: ${(error as Error).message}`);
  }
}
