import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { Redis } from 'ioredis';
import { suiteRun, type SuiteRun } from '../contract/suite-run.ts';
import { lastRunKey, runKey, runsKey } from './github-keys.ts';

/** How long what came of a run can be looked at. */
const KEPT_SECONDS = 30 * 86_400;
/** Of each repository. */
const KEPT_RUNS = 50;
/** Of a document, before it is compressed; of a larger one it is only known that it was. */
const MAX_BYTES = 8 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What a run leaves: a report as JSON, and as a page. */
export type RunDocument = 'report' | 'page';

/** The runs of repositories' suites, and what came of them. */
export class SuiteRuns {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Writes down how far a run is, with what it leaves, and lists it. */
  async write(run: SuiteRun, documents: Partial<Record<RunDocument, string>> = {}): Promise<void> {
    const { id, repository, branch } = run;
    const fields: Record<string, string | Buffer> = { run: JSON.stringify(run) };
    for (const [name, text] of Object.entries(documents))
      if (Buffer.byteLength(text) <= MAX_BYTES) fields[name] = await compress(text);
    const transaction = this.#redis
      .multi()
      .hset(runKey(id), fields)
      .expire(runKey(id), KEPT_SECONDS)
      .zadd(runsKey(repository), Date.parse(run.started), id)
      .zremrangebyrank(runsKey(repository), 0, -KEPT_RUNS - 1)
      .expire(runsKey(repository), KEPT_SECONDS);
    if (fields['report'] !== undefined)
      transaction.set(lastRunKey(repository, branch), id, 'EX', KEPT_SECONDS);
    for (const [error] of (await transaction.exec()) ?? []) if (error) throw error;
  }

  /** @returns undefined when it never was, or too long ago */
  async find(id: string): Promise<SuiteRun | undefined> {
    return parsed(await this.#redis.hget(runKey(id), 'run'));
  }

  /** A repository's runs, newest first. */
  async list(repository: string): Promise<SuiteRun[]> {
    const ids = await this.#redis.zrevrange(runsKey(repository), 0, KEPT_RUNS - 1);
    return (await Promise.all(ids.map((id) => this.find(id)))).flatMap((run) => run ?? []);
  }

  /** @returns undefined when the run has none, or too large a one */
  async document(id: string, name: RunDocument): Promise<string | undefined> {
    const stored = await this.#redis.hgetBuffer(runKey(id), name);
    if (stored === null) return undefined;
    return (await decompress(stored, { maxOutputLength: MAX_BYTES })).toString();
  }

  /** The report of the branch's run that ended last. */
  async lastReport(repository: string, branch: string): Promise<string | undefined> {
    const id = await this.#redis.get(lastRunKey(repository, branch));
    return id === null ? undefined : this.document(id, 'report');
  }
}

function parsed(stored: string | null): SuiteRun | undefined {
  return stored === null ? undefined : suiteRun.parse(JSON.parse(stored));
}
