import { INJECTED_TAG, withInjected } from '../../../lib/contract/cell-tags.ts';
import type { CodeCell, Notebook } from '../../../lib/contract/nbformat.ts';
import { isObject, type JsonObject } from '../kernel/messages.ts';
import { hasCellIds, newCellId } from './cell-ids.ts';

/** How values are written in a language. */
type Translator = (parameters: JsonObject) => string;

const TRANSLATORS: Record<string, Translator> = { python: toPython };

/** The notebook's language has no way here to write parameters in. */
export class UnsupportedLanguageError extends Error {
  override readonly name = 'UnsupportedLanguageError';

  constructor(language: string) {
    const known = Object.keys(TRANSLATORS).join(', ');
    super(`Parameters cannot be injected into a notebook in "${language}", only into one in: ${known}`);
  }
}

/** A parameter that cannot be passed on as it was meant. */
export class InvalidParameterError extends Error {
  override readonly name = 'InvalidParameterError';
}

/**
 * Gives a notebook parameters as papermill does: in a cell tagged `injected-parameters`, in the place of the one that
 * is there already, else after the cell tagged `parameters`, else first. They are recorded in `metadata.papermill`.
 * Unlike papermill it leaves the notebook's version, and the other cells, as they are.
 *
 * @param language as the kernel names it in `language_info`
 * @returns a copy
 * @throws UnsupportedLanguageError, InvalidParameterError
 */
export function injectParameters(notebook: Notebook, parameters: JsonObject, language: string): Notebook {
  const translate = Object.hasOwn(TRANSLATORS, language) ? TRANSLATORS[language] : undefined;
  if (translate === undefined) throw new UnsupportedLanguageError(language);
  const injected: CodeCell = {
    cell_type: 'code',
    ...(hasCellIds(notebook) && { id: newCellId() }),
    metadata: { tags: [INJECTED_TAG] },
    source: translate(parameters),
    outputs: [],
    execution_count: null,
  };
  const papermill = notebook.metadata['papermill'];
  const record = { ...NO_PARAMETERS, ...(isObject(papermill) && papermill), parameters };
  return {
    ...notebook,
    metadata: { ...notebook.metadata, papermill: record },
    cells: withInjected(notebook.cells, injected),
  };
}

/** What papermill keeps beside the parameters; its version is not ours to claim. */
const NO_PARAMETERS = { default_parameters: {}, environment_variables: {} };

function toPython(parameters: JsonObject): string {
  const lines = Object.entries(parameters).map(([name, value]) => `${name} = ${pythonValue(value)}\n`);
  return `# Parameters\n${lines.join('')}`;
}

function pythonValue(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return pythonNumber(value);
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(', ')}]`;
  if (typeof value === 'string') return pythonString(value);
  const items = Object.entries(value as JsonObject).map(
    ([key, item]) => `${pythonString(key)}: ${pythonValue(item)}`,
  );
  return `{${items.join(', ')}}`;
}

/** Whole numbers are ints: JSON as JavaScript reads it knows no difference between 1 and 1.0. */
function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return "float('nan')";
  if (!Number.isFinite(value)) return value < 0 ? "float('-inf')" : "float('inf')";
  if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
  if (Number.isInteger(value) && Math.abs(value) < 1e21) {
    // An identifier of 64 bits has lost its last digits before it came here: better no result than a wrong one.
    throw new InvalidParameterError(
      `The number ${value} is too large to be passed exactly; pass it as a string, and convert it in the notebook`,
    );
  }
  // Python writes the same digits, but goes over to exponents earlier, and gives them two digits.
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Python's `unicode_escape`, which papermill uses, and then the quotation marks. */
function pythonString(text: string): string {
  const escaped = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const short = SHORT_ESCAPES[character];
    if (short !== undefined) return short;
    if (code >= 0x20 && code < 0x7f) return character;
    if (code <= 0xff) return `\\x${hex(code, 2)}`;
    return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  });
  return `"${escaped.join('')}"`;
}

const SHORT_ESCAPES: Record<string, string> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
};

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');
