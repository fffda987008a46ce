/** A cache of bare clones, each with the commits that were asked for, that keeps to its size. */
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import type { Outgoing } from '../outgoing/outgoing.ts';
import { Turns } from '../turns.ts';
import { git, GitError } from './git.ts';

export interface ClonesOptions {
  outgoing: Pick<Outgoing, 'addressesOf'>;
  /** Their folder. */
  dir: string;
  /** Of a clone; all together keep to {@link CACHED} times that. */
  maxBytes: number;
  /** For a fetch. */
  timeoutMs: number;
  caPath?: string | undefined;
}

/** What is to be had, and by which right. */
export interface CommitRef {
  /** `owner/name`: the place in the cache. */
  repository: string;
  /** https://host/owner/name.git */
  url: URL;
  /** A commit's id, whole. */
  commit: string;
  /** A header's value. */
  authorization?: string;
}

/** How many clones of the largest size the cache has room for. */
export const CACHED = 4;
/** Of them for a fetch: it may be over the largest size for a moment, until that is seen. */
const FOR_A_FETCH = 2;
const LOOK_EVERY_MS = 100;

/** What is fetched lies here until it is whole; what a courier that was killed has left does not look like a clone. */
const FETCHING = 'fetching';
const CLONE = /^[^+]+\+[^+]+\.git$/;

export class Clones {
  readonly #options: ClonesOptions;
  readonly #turns = new Turns();

  constructor(options: ClonesOptions) {
    this.#options = options;
  }

  /**
   * Has a commit read from a clone. One at a time, so that none is removed that is used, and no two fill the same room. A clone that
   * git cannot read, or add to, is taken anew once; one stays that it was only the host's or the network's turn to add to.
   *
   * @throws {GivenUpError} {@link RetryLaterError} {@link GitError} the last of them from `read` alone
   */
  use<T>(ref: CommitRef, read: (clone: string) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#turns.take(() => this.#use(ref, read, signal));
  }

  async #use<T>(ref: CommitRef, read: (clone: string) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const clone = join(this.#options.dir, `${ref.repository.toLowerCase().replace('/', '+')}.git`);
    await this.#makeRoom(clone);
    for (;;) {
      const isNew = !(await isThere(clone));
      try {
        if (isNew || !(await hasCommit(clone, ref.commit, signal))) await this.#fetch(clone, ref, signal);
        const now = new Date();
        await utimes(clone, now, now);
        return await read(clone);
      } catch (error) {
        if (!isOfClone(error)) throw error;
        await rm(clone, { recursive: true, force: true });
        if (isNew) throw error;
      }
    }
  }

  /** Removes what was not used for the longest time, and what is no whole clone, until there is room for a fetch. */
  async #makeRoom(own: string): Promise<void> {
    const { dir, maxBytes } = this.#options;
    await mkdir(dir, { recursive: true });
    await rm(join(dir, FETCHING), { recursive: true, force: true });
    const paths = (await readdir(dir)).filter((name) => CLONE.test(name)).map((name) => join(dir, name));
    const clones = await Promise.all(
      paths.map(async (path) => ({ path, usedMs: (await stat(path)).mtimeMs, bytes: await sizeOf(path) })),
    );
    let bytes = 0;
    for (const { path, bytes: of } of clones.toSorted((a, b) => b.usedMs - a.usedMs)) {
      const isOwn = path === own;
      const fits = isOwn ? of <= maxBytes : bytes + of <= (CACHED - FOR_A_FETCH) * maxBytes;
      if (!fits) await rm(path, { recursive: true, force: true });
      else if (!isOwn) bytes += of;
    }
  }

  /**
   * Adds the commit to a clone, or to a new one. When it fails there is the clone as it was, unless it may be that which failed.
   *
   * @throws {GivenUpError} {@link RetryLaterError}
   */
  async #fetch(clone: string, ref: CommitRef, signal: AbortSignal): Promise<void> {
    const fetching = join(this.#options.dir, FETCHING);
    const isNew = !(await isThere(clone));
    try {
      if (isNew) await initialize(fetching, signal);
      else await rename(clone, fetching);
      await this.#fetchInto(fetching, ref, signal);
      await rename(fetching, clone);
    } catch (error) {
      if (!isNew && !isOfClone(error)) await putBack(fetching, clone);
      throw translated(error, this.#options.maxBytes);
    } finally {
      await rm(fetching, { recursive: true, force: true });
    }
  }

  async #fetchInto(repository: string, { url, commit, authorization }: CommitRef, signal: AbortSignal) {
    const { outgoing, timeoutMs, maxBytes, caPath } = this.#options;
    // What was looked up and found to be allowed is what git connects to.
    const { port, addresses } = await outgoing.addressesOf(url);
    const settings = {
      'http.curloptResolve': `${url.hostname}:${port}:${addresses.join(',')}`,
      ...(authorization !== undefined && { 'http.extraHeader': `Authorization: ${authorization}` }),
    };
    const over = new AbortController();
    const late = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, late, over.signal]);
    const watching = watchSize(repository, maxBytes, over);
    try {
      const args = ['fetch', '--quiet', '--depth=1', '--no-tags', '--no-write-fetch-head', url.href, commit];
      await git({ repository, args, settings, signal: either, caPath });
    } catch (error) {
      signal.throwIfAborted();
      if (late.aborted)
        throw new RetryLaterError(`The repository was not fetched within ${timeoutMs / 1_000} s`, {
          cause: error,
        });
      throw error;
    } finally {
      over.abort();
      await watching;
    }
    // A fetch may end between two looks.
    if ((await sizeOf(repository)) > maxBytes) throw new TooLargeError();
  }
}

class TooLargeError extends Error {}

/** Whether another clone might do. What a clone has come to over time may be too much, too. */
function isOfClone(error: unknown): boolean {
  return [error, (error as Error).cause].some(
    (each) =>
      each instanceof TooLargeError ||
      (each instanceof GitError && !GONE.test(each.message) && !UNREACHED.test(each.message)),
  );
}

/** Without what a git that was ended leaves: parts of packs, and locks. */
async function putBack(fetching: string, clone: string): Promise<void> {
  const paths = await readdir(fetching, { recursive: true });
  const left = paths.filter((path) => /(?:^|\/)tmp_[^/]*$|\.lock$/.test(path));
  await Promise.all(left.map((path) => rm(join(fetching, path), { recursive: true, force: true })));
  await rename(fetching, clone);
}

/** Ends what fills a folder when that is over its limit. */
async function watchSize(dir: string, maxBytes: number, over: AbortController): Promise<void> {
  while (!over.signal.aborted) {
    await sleep(LOOK_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    if ((await sizeOf(dir)) > maxBytes) over.abort(new TooLargeError());
  }
}

async function sizeOf(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  // git renames and removes its files meanwhile.
  const sizes = entries.map(({ parentPath, name }) => stat(join(parentPath, name)).catch(() => undefined));
  return (await Promise.all(sizes)).reduce((sum, file) => sum + (file?.isFile() ? file.size : 0), 0);
}

async function isThere(repository: string): Promise<boolean> {
  return (await stat(repository).catch(() => undefined)) !== undefined;
}

async function initialize(repository: string, signal: AbortSignal): Promise<void> {
  await mkdir(repository);
  await git({ repository, args: ['init', '--quiet', '--bare', '--template=', repository], signal });
}

async function hasCommit(repository: string, commit: string, signal: AbortSignal): Promise<boolean> {
  try {
    await git({ repository, args: ['cat-file', '-e', `${commit}^{tree}`], signal });
    return true;
  } catch (error) {
    if (error instanceof GitError) return false;
    throw error;
  }
}

const GONE = /not our ref|couldn't find remote ref|not found|Authentication failed|could not read Username/i;
/** What git says of hosts that do not answer, or not to the end, for LC_ALL=C. */
const UNREACHED = /unable to access|RPC failed|hung up|early EOF|unexpected disconnect|remote error/i;

function translated(error: unknown, maxBytes: number): unknown {
  const options = { cause: error };
  if (error instanceof TooLargeError)
    return new GivenUpError(
      `The repository is larger than the ${Math.round(maxBytes / 2 ** 20)} MiB that are taken`,
      options,
    );
  if (!(error instanceof GitError)) return error;
  return GONE.test(error.message)
    ? new GivenUpError('The commit is not there, or the app may not read the repository', options)
    : new RetryLaterError('The repository could not be fetched', options);
}
