/** Repositories as they are at a commit: fetched into a cache of bare clones, read out into folders that do not stay. */
import { mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import type { Outgoing } from '../outgoing/outgoing.ts';
import { git, GitError } from './git.ts';
import { listTree, writeFiles, type ReadOutLimits } from './tree.ts';

export interface RepositoriesOptions {
  outgoing: Pick<Outgoing, 'addressesOf'>;
  /** The folder for clones and for what is read out of them; no other process uses it. */
  dir: string;
  /** Of a repository in the cache; the cache as a whole keeps to {@link CACHED} times that. */
  maxBytes: number;
  /** For a fetch. */
  timeoutMs: number;
  /** For what is read out. */
  limits: ReadOutLimits;
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

/** A folder with files of a commit, which goes when it is disposed of. */
export interface Checkout extends AsyncDisposable {
  dir: string;
  submodules: string[];
}

/** How many repositories of the largest size the cache has room for. */
const CACHED = 4;
const LOOK_EVERY_MS = 200;

export class Repositories {
  readonly #options: RepositoriesOptions;
  /** By repository: the end of what is being done with its clone. */
  readonly #busy = new Map<string, Promise<unknown>>();
  #emptied: Promise<string> | undefined;

  constructor(options: RepositoriesOptions) {
    this.#options = options;
  }

  /**
   * @param wanted which of the commit's files
   * @throws {GivenUpError} {@link RetryLaterError} in words for the people of the repository
   */
  async checkOut(ref: CommitRef, wanted: (path: string) => boolean, signal: AbortSignal): Promise<Checkout> {
    if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(ref.commit))
      throw new GivenUpError('This is no id of a commit');
    const dir = await mkdtemp(join(await this.#room(), 'checkout-'));
    const remove = () => rm(dir, { recursive: true, force: true });
    try {
      const { submodules } = await this.#alone(ref.repository, async () => {
        const repository = await this.#fetched(ref, signal);
        const tree = await listTree(repository, ref.commit, signal);
        const files = tree.files.filter(({ path }) => wanted(path));
        await writeFiles(repository, files, dir, this.#options.limits, signal);
        return tree;
      });
      return { dir, submodules, [Symbol.asyncDispose]: remove };
    } catch (error) {
      await remove();
      if (!(error instanceof GitError)) throw error;
      throw new RetryLaterError('The repository could not be read', { cause: error });
    }
  }

  #room(): Promise<string> {
    this.#emptied ??= this.#emptyRoom().catch((error: unknown) => {
      this.#emptied = undefined;
      throw error;
    });
    return this.#emptied;
  }

  /** @returns the folder for what is read out, without what a process that was killed has left there */
  async #emptyRoom(): Promise<string> {
    const room = join(this.#options.dir, 'checkouts');
    await rm(room, { recursive: true, force: true });
    await mkdir(room, { recursive: true });
    return room;
  }

  get #clones(): string {
    return join(this.#options.dir, 'clones');
  }

  /** One at a time with each clone. */
  async #alone<T>(repository: string, use: () => Promise<T>): Promise<T> {
    const before = this.#busy.get(repository);
    const own = (async () => {
      await before?.catch(() => undefined);
      return use();
    })();
    this.#busy.set(repository, own);
    try {
      return await own;
    } finally {
      if (this.#busy.get(repository) === own) this.#busy.delete(repository);
    }
  }

  /** @returns the clone, which has the commit */
  async #fetched(ref: CommitRef, signal: AbortSignal): Promise<string> {
    const { maxBytes } = this.#options;
    const repository = join(this.#clones, `${ref.repository.toLowerCase().replace('/', '+')}.git`);
    await this.#makeRoom(repository);
    const isNew = await makeClone(repository, signal);
    if (!isNew && (await hasCommit(repository, ref.commit, signal))) return repository;
    try {
      await this.#fetch(repository, ref, signal);
    } catch (error) {
      // Nothing of what was fetched in part is kept, and what came together over time may be too much.
      await rm(repository, { recursive: true, force: true });
      if (isNew || !(error instanceof TooLargeError)) throw translated(error, maxBytes);
      await makeClone(repository, signal);
      await this.#fetch(repository, ref, signal).catch(async (again: unknown) => {
        await rm(repository, { recursive: true, force: true });
        throw translated(again, maxBytes);
      });
    }
    return repository;
  }

  async #fetch(repository: string, { url, commit, authorization }: CommitRef, signal: AbortSignal) {
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

  /** Removes what was not used for the longest time, until there is room for one more of the largest size. */
  async #makeRoom(except: string): Promise<void> {
    const { maxBytes } = this.#options;
    const dir = this.#clones;
    await mkdir(dir, { recursive: true });
    const others = (await readdir(dir)).map((name) => join(dir, name)).filter((path) => path !== except);
    const clones = await Promise.all(
      others.map(async (path) => ({ path, usedMs: (await stat(path)).mtimeMs, bytes: await sizeOf(path) })),
    );
    let bytes = clones.reduce((sum, clone) => sum + clone.bytes, 0);
    for (const { path, bytes: own } of clones.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (bytes <= (CACHED - 1) * maxBytes) return;
      if (this.#isBusy(path)) continue;
      await rm(path, { recursive: true, force: true });
      bytes -= own;
    }
  }

  #isBusy(path: string): boolean {
    return [...this.#busy.keys()].some((name) =>
      path.endsWith(`/${name.toLowerCase().replace('/', '+')}.git`),
    );
  }
}

class TooLargeError extends Error {}

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

/** @returns whether there was none */
async function makeClone(repository: string, signal: AbortSignal): Promise<boolean> {
  const isThere = await stat(join(repository, 'HEAD')).catch(() => undefined);
  if (isThere) {
    const now = new Date();
    await utimes(repository, now, now);
    return false;
  }
  await mkdir(repository, { recursive: true });
  await git({ repository, args: ['init', '--quiet', '--bare', '--template=', repository], signal });
  return true;
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

function translated(error: unknown, maxBytes: number): unknown {
  if (error instanceof TooLargeError)
    return new GivenUpError(
      `The repository is larger than the ${Math.round(maxBytes / 2 ** 20)} MiB that are taken`,
    );
  if (!(error instanceof GitError)) return error;
  const options = { cause: error };
  return GONE.test(error.message)
    ? new GivenUpError('The commit is not there, or the app may not read the repository', options)
    : new RetryLaterError('The repository could not be fetched', options);
}
