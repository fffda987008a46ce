import type { GitRepository } from '../git-repository.ts';
import { NOT_FOUND, refusal, type Call, type Reply } from './call.ts';
import { example } from './published.ts';

const CONTENTS = 'GET /repos/{owner}/{repo}/contents/{path}';
/** Of larger files the answer has no content; the raw bytes are to be had. */
const MAX_INLINE_BYTES = 1024 * 1024;

/** @returns undefined when there is no such commit, branch or tag */
export function shaOf(git: GitRepository, ref: string): string | undefined {
  try {
    return git.git('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`);
  } catch {
    return undefined;
  }
}

export function commitOf(git: GitRepository, { parameters: { ref = '' }, apiUrl, path }: Call): Reply {
  const sha = shaOf(git, ref);
  if (sha === undefined) return refusal(422, `No commit found for SHA: ${ref}`);
  const recorded = example('GET /repos/{owner}/{repo}/commits/{ref}');
  const message = git.git('log', '-1', '--format=%B', sha);
  const commit = { ...(recorded['commit'] as object), message };
  return { status: 200, json: { ...recorded, sha, url: apiUrl + path, commit, files: [] } };
}

/** What is at a path: a file, the entries of a folder, a link, which GitHub follows within the repository only, a submodule. */
export function contentsOf(git: GitRepository, call: Call): Reply {
  const { parameters, query, isRaw } = call;
  const { path = '' } = parameters;
  const sha = shaOf(git, query['ref'] ?? 'HEAD');
  if (sha === undefined) return refusal(404, `No commit found for the ref ${query['ref']}`);
  const [entry] = entriesOf(git, sha, path);
  if (!entry) return NOT_FOUND;
  if (entry.type === 'tree') {
    const inner = entriesOf(git, sha, `${path}/`).map((each) => shown(call, each));
    return { status: 200, json: inner };
  }
  const bytes = entry.type === 'blob' ? git.bytes(entry.sha) : Buffer.of();
  if (isRaw && entry.type === 'blob') return raw(bytes.toString());
  const kind = kindOf(entry);
  const recorded = example(CONTENTS, `response-if-content-is-a-${kind}`);
  const isWhole = entry.size <= MAX_INLINE_BYTES;
  const own = {
    file: { encoding: isWhole ? 'base64' : 'none', content: isWhole ? base64(bytes) : '' },
    symlink: { target: bytes.toString() },
    submodule: {},
  };
  return { status: 200, json: { ...recorded, ...shown(call, entry), type: kind, ...own[kind] } };
}

interface Entry {
  mode: string;
  type: string;
  sha: string;
  size: number;
  path: string;
}

const kindOf = ({ mode, type }: Entry) =>
  type === 'commit' ? 'submodule' : mode === '120000' ? 'symlink' : 'file';

function entriesOf(git: GitRepository, commit: string, path: string): Entry[] {
  const listing = git.git('ls-tree', '-z', '--long', commit, '--', path);
  return [...listing.matchAll(/(\d+) (\w+) (\w+) +(\d+|-)\t([^\0]+)\0/g)].map(
    ([, mode = '', type = '', sha = '', size = '', path = '']) => {
      return { mode, type, sha, size: Number(size) || 0, path };
    },
  );
}

/** What files, folders and links have in common. */
function shown({ parameters, apiUrl }: Call, { type, sha, size, path }: Entry): object {
  const { owner = '', repo = '' } = parameters;
  const url = `${apiUrl}/repos/${owner}/${repo}/contents/${path}`;
  const links = { url, html_url: url, git_url: url };
  return {
    type: { blob: 'file', tree: 'dir' }[type] ?? 'submodule',
    name: path.split('/').at(-1),
    path,
    sha,
    size,
    ...links,
    download_url: type === 'blob' ? url : null,
    _links: { self: url, git: url, html: url },
  };
}

/** In lines, as GitHub has it. */
const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/.{1,60}/g, (line) => `${line}\n`);

const raw = (text: string): Reply => ({
  status: 200,
  text,
  headers: { 'Content-Type': 'application/vnd.github.raw+json; charset=utf-8' },
});
