/**
 * The notebook as nbformat 4 describes it (https://nbformat.readthedocs.io/en/latest/format_description.html),
 * as far as running one needs it. Everything else in a notebook passes through untouched.
 */
import { z } from 'zod';
import { parseBoundedJson } from './json.ts';

/** Real notebooks have some hundreds. */
export const MAX_CELLS = 10_000;

/** A list that is wrong as a whole: an issue for each of millions of items would fill the memory. */
const listOf = <T>(isItem: (value: unknown) => boolean, type: string, message: string) =>
  z
    .custom<T[]>((value) => Array.isArray(value) && value.every(isItem), message)
    .meta({ type: 'array', items: { type } });

const lines = listOf<string>((value) => typeof value === 'string', 'string', 'should be a list of strings');

/** Text that nbformat keeps as one string or as a list of lines that carry their own line ends. */
const multilineString = z.union([z.string(), lines], 'should be a string or a list of strings');
export type MultilineString = z.infer<typeof multilineString>;

const metadata = z.looseObject({});

export type MimeBundle = Record<string, unknown>;

export type Output =
  | { output_type: 'stream'; name: 'stdout' | 'stderr'; text: MultilineString }
  | { output_type: 'display_data'; data: MimeBundle; metadata: Record<string, unknown> }
  | {
      output_type: 'execute_result';
      execution_count: number | null;
      data: MimeBundle;
      metadata: Record<string, unknown>;
    }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] };

const outputs = listOf<Output>(
  (value) => typeof value === 'object' && value !== null,
  'object',
  'should be a list of objects',
);

// Files in the wild leave out what nbformat requires (metadata, outputs, execution_count): the run fills it in.
const codeCell = z.looseObject({
  cell_type: z.literal('code'),
  source: multilineString,
  metadata: metadata.default({}),
  outputs: outputs.default([]),
  execution_count: z.number().int().nullable().default(null),
  id: z.string().optional(),
});
export type CodeCell = z.infer<typeof codeCell>;

const textCell = z.looseObject({
  cell_type: z.enum(['markdown', 'raw']),
  source: multilineString,
  metadata: metadata.default({}),
  id: z.string().optional(),
});

const cell = z.discriminatedUnion('cell_type', [codeCell, textCell]);
export type Cell = z.infer<typeof cell>;

export const NBFORMAT = { major: 4, newestMinor: 5 } as const;

export const notebookSchema = z.looseObject({
  nbformat: z.literal(NBFORMAT.major),
  nbformat_minor: z.number().int().min(0).max(NBFORMAT.newestMinor),
  metadata: metadata.default({}),
  cells: z.array(cell),
});
export type Notebook = z.infer<typeof notebookSchema>;

/** A notebook that cannot be run, with a reason for the person who sent it. */
export class InvalidNotebookError extends Error {
  override readonly name = 'InvalidNotebookError';
}

/**
 * Reads a notebook from the text of an `.ipynb` file.
 *
 * @throws {InvalidNotebookError} when it is not JSON, not nbformat 4.0 to 4.5, or not of nbformat's shape
 */
export function parseNotebook(ipynb: string): Notebook {
  let document: unknown;
  try {
    document = parseBoundedJson(ipynb);
  } catch (error) {
    throw new InvalidNotebookError(`The notebook is not valid JSON: ${(error as Error).message}`);
  }
  return checkNotebook(document);
}

/** As {@link parseNotebook}, for a notebook that is parsed already. */
export function checkNotebook(document: unknown): Notebook {
  refuseOtherVersions(document);
  const { cells } = document as Record<string, unknown>;
  if (Array.isArray(cells) && cells.length > MAX_CELLS) {
    throw new InvalidNotebookError(`The notebook has more than ${MAX_CELLS} cells`);
  }
  const parsed = notebookSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new InvalidNotebookError(`The notebook does not follow nbformat 4: ${problems.join('; ')}`);
}

function refuseOtherVersions(document: unknown): void {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new InvalidNotebookError('The notebook must be a JSON object with nbformat, metadata and cells');
  }
  const { nbformat, nbformat_minor: minor } = document as Record<string, unknown>;
  if (nbformat === undefined) {
    throw new InvalidNotebookError('The notebook has no "nbformat" field: is it a Jupyter notebook?');
  }
  if (nbformat !== NBFORMAT.major) {
    // Only a number is repeated: anything else could be as long as the body.
    const version = typeof nbformat === 'number' ? `nbformat ${nbformat}` : 'another "nbformat"';
    throw new InvalidNotebookError(
      `The notebook has ${version}, but only nbformat 4 is taken; ` +
        'upgrade it with: jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK',
    );
  }
  if (typeof minor === 'number' && minor > NBFORMAT.newestMinor) {
    throw new InvalidNotebookError(
      `The notebook has nbformat 4.${minor}, but 4.0 to 4.${NBFORMAT.newestMinor} are taken`,
    );
  }
}

/** Joins nbformat's list of lines; a plain string stays as it is. */
export function multiline(text: MultilineString): string {
  return typeof text === 'string' ? text : text.join('');
}
