/** Which files a push or pull request has changed, by the git of the checkout. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { git } from './git.ts';

/** What happened, as GitHub tells it. */
export interface GithubEvent {
  name: string;
  payload: unknown;
}

/** The files, by absolute paths; or why that is not known, so that all of them count. */
export type Changed = { files: ReadonlySet<string> } | { unknown: string };

const commit = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);
const pushed = z.object({ before: commit });
const side = z.object({ sha: commit });
const proposed = z.object({ pull_request: z.object({ base: side, head: side }) });

const NO_COMMIT = /^0+$/;

/** @param dir a folder of the checkout */
export async function changedFiles(dir: string, event: GithubEvent): Promise<Changed> {
  try {
    const base = await baseOf(dir, event);
    if (typeof base !== 'string') return base;
    const top = resolve(dir, (await git(dir, 'rev-parse', '--show-cdup')).trim());
    const names = await git(top, 'diff', '--name-only', '--no-renames', '-z', base, 'HEAD', '--');
    return {
      files: new Set(
        names
          .split('\0')
          .filter(Boolean)
          .map((name) => resolve(top, name)),
      ),
    };
  } catch (error) {
    return { unknown: `git cannot tell what has changed: ${saidBy(error as Error)}` };
  }
}

/** The commit to compare with. */
async function baseOf(dir: string, { name, payload }: GithubEvent): Promise<string | { unknown: string }> {
  if (name === 'push') {
    const { before } = pushed.parse(payload);
    if (NO_COMMIT.test(before)) return { unknown: 'the branch is new' };
    await need(dir, before);
    return before;
  }
  if (name !== 'pull_request') return { unknown: `the event ${name} changes nothing` };
  const { base, head } = proposed.parse(payload).pull_request;
  // What GitHub checks out is a merge into the newest state of the target; the event may name an older one.
  const [target, merged] = await parentsOf(dir);
  const from = target !== undefined && merged === head.sha ? target : base.sha;
  await need(dir, from);
  // Where the branch itself is checked out, what has since changed in the target is none of its changes. Without the
  // history that cannot be told, and a few more count.
  return (await git(dir, 'merge-base', from, 'HEAD').catch(() => from)).trim();
}

/** The parents as the commit names them: of a shallow clone git itself says that there are none. */
async function parentsOf(dir: string): Promise<string[]> {
  const text = await git(dir, 'cat-file', 'commit', 'HEAD');
  const [headers = ''] = text.split('\n\n');
  return [...headers.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, id]) => id as string);
}

async function need(dir: string, id: string): Promise<void> {
  const isThere = git(dir, 'cat-file', '-e', `${id}^{commit}`).then(
    () => true,
    () => false,
  );
  if (await isThere) return;
  // A clone with all of its history stays one.
  const isShallow = (await git(dir, 'rev-parse', '--is-shallow-repository')).trim() === 'true';
  const depth = isShallow ? ['--depth=1'] : [];
  await git(dir, 'fetch', '--quiet', '--no-tags', '--no-recurse-submodules', ...depth, 'origin', id);
}

/** git's own words, where it has any. */
function saidBy(error: Error & { stderr?: string }): string {
  if (error instanceof z.ZodError) return 'the event does not name the commits';
  return error.stderr?.trim().split('\n').at(-1) || error.message;
}
