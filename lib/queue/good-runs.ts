import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import type { Redis } from 'ioredis';
import { goodBranchesKey, goodKey } from './github-keys.ts';
import { KEPT_DAYS, MAX_NOTEBOOK_BYTES, MAX_NOTEBOOKS_BYTES } from './suite-runs.ts';

const KEPT_SECONDS = KEPT_DAYS * 86_400;
/** Of a repository, those that were run last. */
const KEPT_BRANCHES = 4;

const decompress = promisify(zstdDecompress);

/**
 * Lua: takes over what has passed, and deletes what the suite has no more, what is too much beside it, and the branches that have
 * not been run for long; a base of others is as young as they are. Their keys are made of their names; they are in the slot of the
 * others.
 */
const WRITE = `
local good, branches = unpack(KEYS)
local prefix, branch, base, now, ttl, max_branches, max_bytes, count = unpack(ARGV, 1, 8)
local wanted, passed, bytes = {}, {}, 0
for n = 9, 8 + count do wanted[ARGV[n]] = true end
for n = 9 + count, #ARGV, 2 do
  redis.call('HSET', good, ARGV[n], ARGV[n + 1])
  passed[ARGV[n]] = true
  bytes = bytes + #ARGV[n + 1]
end
for _, name in ipairs(redis.call('HKEYS', good)) do
  if not passed[name] then
    local size = redis.call('HSTRLEN', good, name)
    if wanted[name] and bytes + size <= tonumber(max_bytes) then
      bytes = bytes + size
    else
      redis.call('HDEL', good, name)
    end
  end
end
redis.call('EXPIRE', good, ttl)
redis.call('ZADD', branches, 'XX', now, base)
redis.call('EXPIRE', prefix .. base, ttl)
redis.call('ZADD', branches, now, branch)
redis.call('EXPIRE', branches, ttl)
for _, old in ipairs(redis.call('ZREVRANGE', branches, max_branches, -1)) do
  redis.call('DEL', prefix .. old)
  redis.call('ZREM', branches, old)
end`;

export interface GoodRunsOf {
  repository: string;
  branch: string;
  /** The branch that this one may be merged into. */
  base?: string | undefined;
  /** The suite's own name for what it compares with: under another one there is nothing yet. */
  baseline?: string | undefined;
}

/** The last good runs of a branch's notebooks, with which a suite compares outputs that says so. */
export class GoodRuns {
  readonly #redis: Redis;
  readonly #repository: string;
  readonly #branch: string;
  readonly #base: string;

  constructor(redis: Redis, { repository, branch, base = branch, baseline }: GoodRunsOf) {
    // No branch has a ":" in its name.
    const under = (name: string) => (baseline === undefined ? name : `${name}:${baseline}`);
    this.#redis = redis;
    this.#repository = repository;
    this.#branch = under(branch);
    this.#base = under(base);
  }

  /** The executed notebook's text, of the base where it has not passed on the branch yet. @param name of the case */
  async read(name: string): Promise<string | undefined> {
    return (await this.#read(this.#branch, name)) ?? this.#read(this.#base, name);
  }

  async #read(branch: string, name: string): Promise<string | undefined> {
    const stored = await this.#redis.hgetBuffer(goodKey(this.#repository, branch), name);
    if (stored === null) return undefined;
    return (await decompress(stored, { maxOutputLength: MAX_NOTEBOOK_BYTES })).toString();
  }

  /**
   * @param names of all cases of the suite
   * @param passed by the name of the case, each a zstd frame; {@link MAX_NOTEBOOKS_BYTES} at most
   */
  async write(names: readonly string[], passed: ReadonlyMap<string, Buffer>): Promise<void> {
    const keys = [goodKey(this.#repository, this.#branch), goodBranchesKey(this.#repository)];
    const limits = [KEPT_SECONDS, KEPT_BRANCHES, MAX_NOTEBOOKS_BYTES];
    const args = [goodKey(this.#repository, ''), this.#branch, this.#base, Date.now(), ...limits];
    await this.#redis.eval(
      WRITE,
      keys.length,
      ...keys,
      ...args,
      names.length,
      ...names,
      ...[...passed].flat(),
    );
  }
}
