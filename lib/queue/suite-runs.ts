import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { Redis } from 'ioredis';
import { suiteRun, type SuiteRun } from '../contract/suite-run.ts';
import { lastRunKey, newestKey, runKey, runsKey } from './github-keys.ts';
import { commitRunId } from './run-id.ts';

/** How long what came of a run can be looked at. */
export const KEPT_DAYS = 30;
const KEPT_SECONDS = KEPT_DAYS * 86_400;
/** Of each repository. */
const KEPT_RUNS = 50;
/** Of all that a repository's runs leave, compressed; what the oldest have left goes first. */
export const MAX_REPOSITORY_BYTES = 64 * 1024 * 1024;
/** Of a document, before it is compressed; of a larger one it is only known that it was. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
/** Of an executed notebook, before it is compressed: who hands it out has all of it in memory. */
export const MAX_NOTEBOOK_BYTES = 32 * 1024 * 1024;
/** Of a run's executed notebooks, compressed. */
export const MAX_NOTEBOOKS_BYTES = 16 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What a run leaves: a report as JSON, and as a page. */
export type RunDocument = 'report' | 'page';

export interface Remains extends Partial<Record<RunDocument, string>> {
  /** Executed notebooks by the names of their files, each a zstd frame; {@link MAX_NOTEBOOKS_BYTES} at most. */
  notebooks?: ReadonlyMap<string, Buffer>;
}

/**
 * Lua: writes a run down, deletes those that leave the list by it, and what the oldest have left where all is too much. The keys of
 * runs are made of their ids; they are in the slot of the others.
 */
const WRITE = `
local run, runs, last = unpack(KEYS)
local prefix, id, started, ttl, max_runs, max_bytes = unpack(ARGV, 1, 6)
redis.call('DEL', run)
redis.call('HSET', run, unpack(ARGV, 7))
redis.call('EXPIRE', run, ttl)
redis.call('ZADD', runs, started, id)
redis.call('EXPIRE', runs, ttl)
if last then redis.call('SET', last, id, 'EX', ttl) end
local bytes = 0
for place, each in ipairs(redis.call('ZREVRANGE', runs, 0, -1)) do
  local key = prefix .. each
  local shown, size = unpack(redis.call('HMGET', key, 'run', 'bytes'))
  bytes = bytes + (size or 0)
  if not shown or place > tonumber(max_runs) then
    redis.call('DEL', key)
    redis.call('ZREM', runs, each)
  elseif size and bytes > tonumber(max_bytes) then
    local left = redis.call('PTTL', key)
    redis.call('DEL', key)
    redis.call('HSET', key, 'run', shown)
    redis.call('PEXPIRE', key, left)
  end
end`;

/** Lua: takes a commit for the newest of its branch, unless one that was first run later has come to its end. */
const NEWEST = `
local newest = KEYS[1]
local commit, first, ttl = unpack(ARGV)
local known, since = unpack(redis.call('HMGET', newest, 'commit', 'first'))
if known and known ~= commit and tonumber(since) > tonumber(first) then return 0 end
redis.call('HSET', newest, 'commit', commit, 'first', first)
redis.call('EXPIRE', newest, ttl)
return 1`;

/** The runs of repositories' suites, and what came of them. */
export class SuiteRuns {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Writes down how far a run is, with what it leaves, and lists it. */
  async write(run: SuiteRun, { notebooks = new Map(), ...documents }: Remains = {}): Promise<void> {
    const { id, repository, branch, started } = run;
    const remains: Record<string, Buffer> = {};
    for (const [file, compressed] of notebooks) remains[notebookField(file)] = compressed;
    for (const [name, text] of Object.entries(documents))
      if (Buffer.byteLength(text) <= MAX_DOCUMENT_BYTES) remains[name] = await compress(text);
    const bytes = Object.values(remains).reduce((sum, { length }) => sum + length, 0);
    const fields = { run: JSON.stringify(run), ...(bytes > 0 && { bytes }), ...remains };
    const keys = [runKey(id), runsKey(repository)];
    if (remains['report'] && (await this.isNewest(run))) keys.push(lastRunKey(repository, branch));
    const limits = [KEPT_SECONDS, KEPT_RUNS, MAX_REPOSITORY_BYTES];
    const args = [runKey(''), id, Date.parse(started), ...limits, ...Object.entries(fields).flat()];
    await this.#redis.eval(WRITE, keys.length, ...keys, ...args);
  }

  /**
   * Whether what a run has come to is what the next of its branch is compared with: none of a commit that came later has ended
   * before it. A commit that is run again is as old as it was.
   */
  async isNewest({ repository, branch, commit, event, started }: SuiteRun): Promise<boolean> {
    const first = event === 'rerun' ? await this.find(commitRunId(repository, commit)) : { started };
    const args = [commit, first ? Date.parse(first.started) : 0, KEPT_SECONDS];
    return (await this.#redis.eval(NEWEST, 1, newestKey(repository, branch), ...args)) === 1;
  }

  /** @returns undefined when it never was, was too long ago, or is of a newer release */
  async find(id: string): Promise<SuiteRun | undefined> {
    return parsed(await this.#redis.hget(runKey(id), 'run'));
  }

  /** A repository's runs, newest first. */
  async list(repository: string): Promise<SuiteRun[]> {
    const ids = await this.#redis.zrevrange(runsKey(repository), 0, KEPT_RUNS - 1);
    return (await Promise.all(ids.map((id) => this.find(id)))).flatMap((run) => run ?? []);
  }

  /** @returns undefined when the run has none any more, or too large a one */
  async document(id: string, name: RunDocument): Promise<string | undefined> {
    return (await this.#inflated(id, name, MAX_DOCUMENT_BYTES))?.toString();
  }

  /** The text of an executed notebook, in UTF-8. @returns undefined when it is not kept */
  async notebook(id: string, file: string): Promise<Buffer | undefined> {
    return this.#inflated(id, notebookField(file), MAX_NOTEBOOK_BYTES);
  }

  /** The report of the branch's run that ended last. */
  async lastReport(repository: string, branch: string): Promise<string | undefined> {
    const id = await this.#redis.get(lastRunKey(repository, branch));
    return id === null ? undefined : this.document(id, 'report');
  }

  async #inflated(id: string, field: string, maxOutputLength: number): Promise<Buffer | undefined> {
    const stored = await this.#redis.hgetBuffer(runKey(id), field);
    return stored === null ? undefined : decompress(stored, { maxOutputLength });
  }
}

const notebookField = (file: string): string => `notebook:${file}`;

/** One that a newer release has written may be of another form: it is passed over, as if it were not there. */
function parsed(stored: string | null): SuiteRun | undefined {
  return stored === null ? undefined : suiteRun.safeParse(JSON.parse(stored)).data;
}
