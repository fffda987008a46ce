import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { Redis } from 'ioredis';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** No stored notebook inflates beyond this many bytes; what would is refused when it is written. */
export const MAX_BODY_BYTES = 512 * 1024 * 1024;

/**
 * The notebooks of jobs: the submitted one and the executed one, as compressed text under a TTL of their own.
 * They lie beside BullMQ's job, which is the only record of its state.
 */
export class ResultStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async putSource(jobId: string, ipynb: string, ttlSeconds: number): Promise<void> {
    await this.#put(sourceKey(jobId), ipynb, ttlSeconds);
  }

  /** @returns the submitted notebook's text, or undefined when it has expired */
  async getSource(jobId: string): Promise<string | undefined> {
    return this.#get(sourceKey(jobId));
  }

  async deleteSource(jobId: string): Promise<void> {
    await this.#redis.del(sourceKey(jobId));
  }

  /**
   * @param resultId names the attempt: two attempts at one job never write to the same key, and the outcome that
   *   is committed names the one that counts
   */
  async putResult(jobId: string, resultId: string, ipynb: string, ttlSeconds: number): Promise<void> {
    await this.#put(resultKey(jobId, resultId), ipynb, ttlSeconds);
  }

  async getResult(jobId: string, resultId: string): Promise<string | undefined> {
    return this.#get(resultKey(jobId, resultId));
  }

  async #put(key: string, text: string, ttlSeconds: number): Promise<void> {
    const bytes = Buffer.from(text);
    if (bytes.length > MAX_BODY_BYTES) {
      throw new RangeError(`A notebook of ${bytes.length} bytes is over the limit of ${MAX_BODY_BYTES}`);
    }
    await this.#redis.set(key, await compress(bytes), 'EX', Math.ceil(ttlSeconds));
  }

  async #get(key: string): Promise<string | undefined> {
    const stored = await this.#redis.getBuffer(key);
    if (!stored) return undefined;
    return (await decompress(stored, { maxOutputLength: MAX_BODY_BYTES })).toString();
  }
}

const sourceKey = (jobId: string): string => `${KEY_PREFIX}:source:${jobId}`;
const resultKey = (jobId: string, resultId: string): string => `${KEY_PREFIX}:result:${jobId}:${resultId}`;
