/** What is in a commit, and its files, read out of a bare repository without checking anything out. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GivenUpError } from '../errors.ts';
import { git, GitError, TooMuchOutputError } from './git.ts';

interface TreeFile {
  path: string;
  id: string;
  bytes: number;
}

export interface Tree {
  files: TreeFile[];
  /** What is not among the files, as it may lead anywhere. */
  links: string[];
  /** Where commits of other repositories are. */
  submodules: string[];
}

export interface ReadOutLimits {
  files: number;
  bytes: number;
}

// 30,000 paths of 100 characters; a repository with more is no suite of notebooks.
const MAX_LISTING_BYTES = 16 * 1024 * 1024;

/** `<mode> SP <type> SP <object> SP+ <size> TAB <path>`, as git-ls-tree(1) says. */
const ENTRY = /^(?<mode>\d{6}) (?<type>\w+) (?<id>[0-9a-f]{40,64}) +(?<bytes>\d+|-)\t(?<path>[^]+)$/;
/** What patterns are held against grows slow with the length of paths; no notebook has one of these. */
const MAX_PATH_CHARS = 400;

const LINK = '120000';
const REGULAR = new Set(['100644', '100755', '100664']);

/** @throws {GivenUpError} {@link GitError} */
export async function listTree(repository: string, commit: string, signal: AbortSignal): Promise<Tree> {
  const args = ['ls-tree', '-r', '-z', '--long', '--full-tree', commit];
  const listing = await git({ repository, args, signal, maxBytes: MAX_LISTING_BYTES }).catch(
    (error: unknown) => {
      if (!(error instanceof TooMuchOutputError)) throw error;
      throw new GivenUpError('The repository has more files than are looked through');
    },
  );
  const tree: Tree = { files: [], links: [], submodules: [] };
  for (const line of listing.toString().split('\0')) {
    const { mode = '', type, id = '', bytes, path = '' } = ENTRY.exec(line)?.groups ?? {};
    if (type === 'commit') tree.submodules.push(path);
    else if (mode === LINK) tree.links.push(path);
    else if (REGULAR.has(mode) && isInside(path)) tree.files.push({ path, id, bytes: Number(bytes) });
  }
  return tree;
}

/** No working copy can be made of other names, but somebody may have written them. */
function isInside(path: string): boolean {
  if (path.length > MAX_PATH_CHARS) return false;
  return !path.split('/').some((part) => part === '' || part === '.' || part === '..');
}

/**
 * Writes files into an empty folder.
 *
 * @throws {GivenUpError} when they are more, or larger, than the limits
 */
export async function writeFiles(
  repository: string,
  files: readonly TreeFile[],
  into: string,
  limits: ReadOutLimits,
  signal: AbortSignal,
): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (files.length > limits.files)
    throw new GivenUpError(
      `The repository has ${files.length} files that could be notebooks; ${limits.files} are taken`,
    );
  if (bytes > limits.bytes)
    throw new GivenUpError(
      `The files of the repository that could be notebooks have ${bytes} bytes; ${limits.bytes} are taken`,
    );
  if (files.length === 0) return;
  const input = files.map(({ id }) => `${id}\n`).join('');
  // Beside each file a line that says what it is.
  const maxBytes = bytes + files.length * 128;
  const printed = await git({ repository, args: ['cat-file', '--batch'], input, signal, maxBytes });
  let at = 0;
  for (const { id, path, bytes } of files) {
    const begin = printed.indexOf('\n', at) + 1;
    if (printed.toString('latin1', at, begin) !== `${id} blob ${bytes}\n`)
      throw new GitError(`git did not print ${id}`);
    at = begin + bytes + 1;
    await writeNew(join(into, path), printed.subarray(begin, at - 1));
  }
}

/** Over nothing, for a commit may have the same name twice, as a file and as a folder. */
async function writeNew(file: string, content: Buffer): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content, { flag: 'wx' });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EEXIST', 'ENOTDIR', 'ENAMETOOLONG'].includes(code)) throw error;
    throw new GivenUpError(`The repository has files that cannot be written (${code})`);
  }
}
