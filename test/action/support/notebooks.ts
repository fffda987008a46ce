import { codeCell, notebook } from '../../support/notebooks.ts';

/** A notebook as Jupyter writes it: a line of the file for each line of the code. */
export function notebookFile(...cells: string[]): string {
  const written = cells.map((source) => ({ ...codeCell(source), source: source.split(/(?<=\n)/) }));
  return `${JSON.stringify(notebook({ cells: written }), undefined, 1)}\n`;
}

/** The line of the file, from 1, that has this text. */
export const lineWith = (file: string, text: string): number =>
  file.split('\n').findIndex((line) => line.includes(text)) + 1;
