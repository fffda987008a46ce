/** A repository at GitHub, and what actions/checkout makes of it on a runner. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ENV = {
  PATH: process.env['PATH'] ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
};

export class Repository implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'noteburst-repository-'));
  readonly #work = join(this.#dir, 'work');
  #checkouts = 0;

  constructor(files: Record<string, string>) {
    this.#run(this.#dir, 'init', '--quiet', '--initial-branch=main', 'work');
    // GitHub gives any commit that it still has.
    this.git('config', 'uploadpack.allowAnySHA1InWant', 'true');
    this.commit(files);
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true });
  }

  /** Runs git in a clone where somebody works. */
  git(...args: string[]): string {
    return this.#run(this.#work, ...args);
  }

  /** @returns the commit's id */
  commit(files: Record<string, string | undefined>): string {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.#work, path);
      if (content === undefined) rmSync(file);
      else {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, content);
      }
    }
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '--message=x');
    return this.head();
  }

  head(): string {
    return this.git('rev-parse', 'HEAD');
  }

  /** @returns the folder of a checkout as actions/checkout makes it, by default without the history */
  checkout(commit = this.head(), isWhole = false): string {
    const dir = join(this.#dir, `checkout-${this.#checkouts++}`);
    this.#run(this.#dir, 'init', '--quiet', dir);
    this.#run(dir, 'remote', 'add', 'origin', `file://${this.#work}`);
    this.#run(dir, 'fetch', '--quiet', ...(isWhole ? [] : ['--depth=1']), 'origin', commit);
    this.#run(dir, 'checkout', '--quiet', '--detach', commit);
    return dir;
  }

  #run(dir: string, ...args: string[]): string {
    return execFileSync('git', ['-C', dir, ...args], { env: ENV, encoding: 'utf8', stdio: 'pipe' }).trim();
  }
}
