/** Repositories as they are at a commit: fetched into a cache, read out into folders that do not stay. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import { Clones, type ClonesOptions, type CommitRef } from './clones.ts';
import { GitError } from './git.ts';
import { listTree, writeFiles, type ReadOutLimits, type Tree } from './tree.ts';

export interface RepositoriesOptions extends ClonesOptions {
  /** The folder for clones and for what is read out of them; no other process uses it. */
  dir: string;
  /** For what is read out. */
  limits: ReadOutLimits;
}

/** A folder with files of a commit, which goes when it is disposed of. */
export interface Checkout extends AsyncDisposable, Pick<Tree, 'links' | 'submodules'> {
  dir: string;
}

const CHECKOUT = 'checkout-';

export class Repositories {
  readonly #clones: Clones;
  readonly #limits: ReadOutLimits;
  readonly #dir: string;
  #emptied: Promise<void> | undefined;

  constructor({ limits, ...options }: RepositoriesOptions) {
    this.#clones = new Clones({ ...options, dir: join(options.dir, 'clones') });
    this.#limits = limits;
    this.#dir = join(options.dir, 'checkouts');
  }

  /**
   * @param wanted which of the commit's files
   * @throws {GivenUpError} {@link RetryLaterError} in words for the people of the repository
   */
  async checkOut(ref: CommitRef, wanted: (path: string) => boolean, signal: AbortSignal): Promise<Checkout> {
    if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(ref.commit))
      throw new GivenUpError('This is no id of a commit');
    await this.#emptyOnce();
    const dir = await mkdtemp(join(this.#dir, CHECKOUT));
    const remove = () => rm(dir, { recursive: true, force: true });
    const read = async (clone: string): Promise<Tree> => {
      const tree = await listTree(clone, ref.commit, signal);
      const files = tree.files.filter(({ path }) => wanted(path));
      // Of a clone that could not be read to the end some may be there.
      await remove();
      await mkdir(dir);
      await writeFiles(clone, files, dir, this.#limits, signal);
      return tree;
    };
    try {
      const { links, submodules } = await this.#clones.use(ref, read, signal);
      return { dir, links, submodules, [Symbol.asyncDispose]: remove };
    } catch (error) {
      await remove();
      if (!(error instanceof GitError)) throw error;
      throw new RetryLaterError('The repository could not be read', { cause: error });
    }
  }

  #emptyOnce(): Promise<void> {
    this.#emptied ??= this.#empty().catch((error: unknown) => {
      this.#emptied = undefined;
      throw error;
    });
    return this.#emptied;
  }

  /** Removes what a courier that was killed has left, and nothing else that somebody may have there. */
  async #empty(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    const left = (await readdir(this.#dir)).filter((name) => name.startsWith(CHECKOUT));
    await Promise.all(left.map((name) => rm(join(this.#dir, name), { recursive: true, force: true })));
  }
}
