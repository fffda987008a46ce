/** Small notebooks, as text the way callers send them. */
export interface NotebookParts {
  nbformat?: unknown;
  nbformat_minor?: unknown;
  metadata?: unknown;
  cells?: unknown;
}

export function notebook(parts: NotebookParts = {}): Record<string, unknown> {
  return { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [codeCell('print(6 * 7)')], ...parts };
}

export const ipynb = (parts: NotebookParts = {}): string => JSON.stringify(notebook(parts));

export function codeCell(source: string): Record<string, unknown> {
  return { cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null };
}

export function markdownCell(source: string): Record<string, unknown> {
  return { cell_type: 'markdown', source, metadata: {} };
}
