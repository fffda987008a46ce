/** The kinds of files that can be run as notebooks. */
import { extname } from 'node:path';
import { InvalidNotebookError } from '../../lib/contract/nbformat.ts';
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

/** What lies in the place of a file that Git LFS keeps elsewhere (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/';

/**
 * @param path one that {@link isSource}
 * @throws {InvalidNotebookError}
 */
export function readSource(path: string, text: string): NotebookSource {
  const read = READERS[extname(path)];
  if (!read) throw new TypeError(`${path} is no notebook`);
  if (text.startsWith(LFS_POINTER))
    throw new InvalidNotebookError('The file itself is kept by Git LFS, and only what stands for it is here');
  return read(text);
}
