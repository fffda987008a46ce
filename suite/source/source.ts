/** The kinds of files that can be run as notebooks. */
import { extname } from 'node:path';
import { mystSource } from './myst.ts';
import { notebookSource, type NotebookSource } from './notebook-source.ts';
import { percentSource } from './percent.ts';

const READERS: Readonly<Record<string, (text: string) => NotebookSource>> = {
  '.ipynb': notebookSource,
  '.py': percentSource,
  '.md': mystSource,
};

export const isSource = (path: string): boolean => Object.hasOwn(READERS, extname(path));

/** For people: `.ipynb, .py and .md`. */
export const SOURCE_KINDS = new Intl.ListFormat('en-GB').format(Object.keys(READERS));

/**
 * @param path one that {@link isSource}
 * @throws {InvalidNotebookError}
 */
export function readSource(path: string, text: string): NotebookSource {
  const read = READERS[extname(path)];
  if (!read) throw new TypeError(`${path} is no notebook`);
  return read(text);
}
