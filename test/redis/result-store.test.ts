import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import type { Redis } from 'ioredis';
import { jsonPieces } from '../../lib/queue/json-pieces.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { brief } from '../support/brief.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { putSource } from '../support/put-source.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
let client: Redis;
let store: ResultStore;

beforeAll(async () => {
  client = requestRedis(file.url);
  await untilReady(client, 5_000);
  store = new ResultStore(client);
});
afterAll(() => client.disconnect());

const jobId = () => `job-${randomBytes(8).toString('hex')}`;

describe('a stored notebook', () => {
  test.each(
    [ipynb(), '', 'Grüße, 日本語, 🔭, \\u0000 \u0000', ' '.repeat(2_000_000)].map((text) => [
      brief(text),
      text,
    ]),
  )('is read as it was written: %s', async (_, text = '') => {
    const id = jobId();
    await putSource(file.redis, id, text);
    await store.putResult(id, 'attempt', text, 60);
    expect(await store.getSource(id)).toBe(text);
    expect(await store.getResult(id, 'attempt')).toBe(text);
  });

  test('may be written in pieces', async () => {
    const id = jobId();
    const notebook = { cells: ['x'.repeat(1_000_000), '😀'.repeat(500_000)] };
    await store.putResult(id, 'attempt', jsonPieces(notebook), 60);
    expect(await store.getResult(id, 'attempt')).toBe(JSON.stringify(notebook));
  });

  test('that is far too large is not written at all', async () => {
    const id = jobId();
    const piece = 'x'.repeat(2 ** 26);
    await expect(store.putResult(id, 'attempt', Array(9).fill(piece), 60)).rejects.toThrow(RangeError);
    expect(await store.getResult(id, 'attempt')).toBeUndefined();
  });

  test('that was never written is not there', async () => {
    const id = jobId();
    expect(await store.getSource(id)).toBeUndefined();
    expect(await store.getResult(id, 'attempt')).toBeUndefined();
  });

  test('lives as long as it was given, fractions rounded up', async () => {
    const id = jobId();
    await putSource(file.redis, id, ipynb(), 99.1);
    await store.putResult(id, 'attempt', ipynb(), 0.2);
    expect(await file.redis.ttl(`${KEY_PREFIX}:source:${id}`)).toBeGreaterThan(95);
    expect(await file.redis.ttl(`${KEY_PREFIX}:source:${id}`)).toBeLessThanOrEqual(100);
    expect(await file.redis.pttl(`${KEY_PREFIX}:result:${id}:attempt`)).toBeGreaterThan(0);
    expect(await file.redis.pttl(`${KEY_PREFIX}:result:${id}:attempt`)).toBeLessThanOrEqual(1_000);
  });

  test('takes less room than its text', async () => {
    const id = jobId();
    const text = ipynb({ cells: Array.from({ length: 200 }, (_, i) => codeCell(`print(${i})`)) });
    await putSource(file.redis, id, text);
    expect(await file.redis.strlen(`${KEY_PREFIX}:source:${id}`)).toBeLessThan(text.length / 5);
  });

  test('of one attempt is not that of another', async () => {
    const id = jobId();
    await store.putResult(id, 'first', 'one', 60);
    await store.putResult(id, 'second', 'two', 60);
    expect(await store.getResult(id, 'first')).toBe('one');
    expect(await store.getResult(id, 'second')).toBe('two');
  });
});
