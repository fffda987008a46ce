import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Tags a commit that is HEAD and, beside it, built files that no branch has: workflows take an action as its tag has it.
 * Neither the branch nor its index is touched.
 *
 * @param root the folder of the repository
 * @param files git pathspecs; that they are ignored does not count
 * @returns the commit's id
 * @throws when the tag is there, or when there is something that HEAD does not have
 */
export function tagWithFiles(root: string, tag: string, ...files: string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-tag-'));
  const env = { ...process.env, GIT_INDEX_FILE: join(dir, 'index') };
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args], { env, encoding: 'utf8' }).trim();
  try {
    git('read-tree', 'HEAD');
    const changes = git('status', '--porcelain');
    if (changes !== '') throw new Error(`Commit these first, or the tag would lack them:\n${changes}`);
    git('add', '--force', '--', ...files);
    const commit = git(
      'commit-tree',
      git('write-tree'),
      '-p',
      'HEAD',
      '-m',
      `The action, as built for ${tag}`,
    );
    git('tag', '--annotate', '--message', tag, '--', tag, commit);
    return commit;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
