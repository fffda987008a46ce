import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';
import type { Redis } from 'ioredis';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { NotReplicatedError, replicated } from './redis.ts';
import type { KeyWrite } from './write-script.ts';

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

  /** @returns what writes the submitted notebook, in the transaction that adds its job */
  async sourceWrite(jobId: string, ipynb: string, ttlSeconds: number): Promise<KeyWrite> {
    return { command: 'SET', key: sourceKey(jobId), args: [await compress([ipynb]), ...expiry(ttlSeconds)] };
  }

  /** @returns the submitted notebook's text, or undefined when it has expired */
  async getSource(jobId: string): Promise<string | undefined> {
    return this.#get(sourceKey(jobId));
  }

  /**
   * @param resultId names the attempt: two attempts at one job never write to the same key, and the outcome that
   *   is committed names the one that counts
   * @param ipynb its text, or pieces of it, which are compressed one by one: see `jsonPieces`
   */
  async putResult(
    jobId: string,
    resultId: string,
    ipynb: string | Iterable<string>,
    ttlSeconds: number,
  ): Promise<void> {
    const compressed = await compress(typeof ipynb === 'string' ? [ipynb] : ipynb);
    const put = () => this.#redis.set(resultKey(jobId, resultId), compressed, ...expiry(ttlSeconds));
    try {
      await replicated(this.#redis, put);
    } catch (error) {
      if (!(error instanceof NotReplicatedError)) throw error;
      // Another master may not have it. Where there is no replica, what has run must still be able to end.
      await put();
    }
  }

  async getResult(jobId: string, resultId: string): Promise<string | undefined> {
    return this.#get(resultKey(jobId, resultId));
  }

  async #get(key: string): Promise<string | undefined> {
    const stored = await this.#redis.getBuffer(key);
    if (!stored) return undefined;
    return (await decompress(stored, { maxOutputLength: MAX_BODY_BYTES })).toString();
  }
}

/** What is small is compressed at once: that takes a tenth of the millisecond that handing it to a thread does. */
const AT_ONCE_BYTES = 128 * 1024;

async function compress(pieces: Iterable<string>): Promise<Buffer> {
  const rest = bounded(pieces);
  const begin: Buffer[] = [];
  let bytes = 0;
  while (bytes <= AT_ONCE_BYTES) {
    const { done, value } = rest.next();
    if (done) return compressAtOnce(Buffer.concat(begin));
    begin.push(value);
    bytes += value.length;
  }
  return compressInThread(chain(begin, rest));
}

/** At zstd's quickest level, half the time of its usual one; its tables are as large as it is told that they need be. */
const compressAtOnce = (bytes: Buffer): Buffer =>
  zstdCompressSync(bytes, {
    pledgedSrcSize: bytes.length,
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });

async function compressInThread(pieces: Iterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await pipeline(pieces, createZstdCompress(), async (compressed: AsyncIterable<Buffer>) => {
    for await (const chunk of compressed) chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

function* chain<T>(...parts: Iterable<T>[]): Generator<T> {
  for (const part of parts) yield* part;
}

function* bounded(pieces: Iterable<string>): Generator<Buffer> {
  let bytes = 0;
  for (const piece of pieces) {
    const encoded = Buffer.from(piece);
    bytes += encoded.length;
    if (bytes > MAX_BODY_BYTES)
      throw new RangeError(`A notebook is over the limit of ${MAX_BODY_BYTES} bytes`);
    yield encoded;
  }
}

const expiry = (ttlSeconds: number) => ['EX', Math.ceil(ttlSeconds)] as const;

const sourceKey = (jobId: string): string => `${KEY_PREFIX}:source:${jobId}`;
const resultKey = (jobId: string, resultId: string): string => `${KEY_PREFIX}:result:${jobId}:${resultId}`;
