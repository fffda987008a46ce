import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { runKey } from '../../lib/queue/github-keys.ts';
import { GoodRuns } from '../../lib/queue/good-runs.ts';
import { MAX_REPOSITORY_BYTES, SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const runs = new SuiteRuns(file.redis);
const REPOSITORY = 'team/tutorials';
const MIB = 2 ** 20;

beforeEach(async () => void (await file.redis.flushdb()));

/** The nth run of the repository, each a minute after the one before. */
const nth = (n: number, parts: Partial<SuiteRun> = {}): SuiteRun => ({
  id: String(n).padStart(32, '0'),
  repository: REPOSITORY,
  branch: 'main',
  commit: 'c'.repeat(40),
  event: 'push',
  state: 'ended',
  started: new Date(Date.UTC(2026, 10, 21, 10, n)).toISOString(),
  ...parts,
});
const idOf = (n: number) => nth(n).id;
const shelf = (bytes: number) => new Map([['0-a.ipynb', randomBytes(bytes)]]);

describe('what is kept of runs', () => {
  test('goes when they leave the list, and that of others stays', async () => {
    await runs.write(nth(0, { repository: 'team/other', id: 'f'.repeat(32) }), { report: '{}' });
    for (let n = 1; n <= 52; n++) await runs.write(nth(n), { report: `{"n":${n}}` });
    const listed = await runs.list(REPOSITORY);
    expect([listed.length, listed[0]?.id, listed.at(-1)?.id]).toEqual([50, idOf(52), idOf(3)]);
    const kept = (await file.redis.keys(`${KEY_PREFIX}:github:run:*`)).length;
    expect(kept).toBe(51);
    expect(await runs.document(idOf(2), 'report')).toBeUndefined();
    expect(await runs.document(idOf(3), 'report')).toBe('{"n":3}');
    expect(await runs.document('f'.repeat(32), 'report')).toBe('{}');
  });

  test('is bounded for a repository: what the oldest left goes first, and they stay in the list', async () => {
    for (let n = 1; n <= 6; n++) await runs.write(nth(n), { report: '{}', notebooks: shelf(15 * MIB) });
    const left = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => runs.document(idOf(n), 'report')));
    expect(left).toEqual([undefined, undefined, '{}', '{}', '{}', '{}']);
    expect(await runs.list(REPOSITORY)).toHaveLength(6);
    const sizes = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => file.redis.memory('USAGE', runKey(idOf(n)), 'SAMPLES', 0)),
    );
    const sum = sizes.reduce<number>((all, size) => all + (size ?? 0), 0);
    expect(sum).toBeGreaterThan(60 * MIB);
    expect(sum).toBeLessThan(MAX_REPOSITORY_BYTES * 1.25);
    const ttl = await file.redis.ttl(runKey(idOf(1)));
    expect(ttl).toBeGreaterThan(29 * 86_400);
    expect(ttl).toBeLessThanOrEqual(30 * 86_400);
  });

  test('is of the last time when a run is run again', async () => {
    await runs.write(nth(1), { report: '{}', notebooks: shelf(10) });
    await runs.write(nth(1, { state: 'running' }));
    expect(await file.redis.hkeys(runKey(idOf(1)))).toEqual(['run']);
    expect(await runs.find(idOf(1))).toMatchObject({ state: 'running' });
  });
});

describe('last good runs of a branch', () => {
  const good = (branch: string) => new GoodRuns(file.redis, { repository: REPOSITORY, branch });
  const frame = (text: string) => zstdCompressSync(text);

  test('are of the last run in which a notebook passed', async () => {
    const main = good('main');
    await main.write(
      ['a', 'b'],
      new Map([
        ['a', frame('a1')],
        ['b', frame('b1')],
      ]),
    );
    await main.write(['a', 'b'], new Map([['b', frame('b2')]]));
    expect([await main.read('a'), await main.read('b')]).toEqual(['a1', 'b2']);
    expect(await good('other').read('a')).toBeUndefined();
    await main.write(['b'], new Map());
    expect([await main.read('a'), await main.read('b')]).toEqual([undefined, 'b2']);
  });

  test('are bounded: what passed last stays', async () => {
    const main = good('main');
    const names = ['a', 'b', 'c'];
    await main.write(names, new Map([['a', randomBytes(12 * MIB)]]));
    await main.write(names, new Map([['b', randomBytes(12 * MIB)]]));
    await main.write(names, new Map([['c', frame('c1')]]));
    const keys = await file.redis.keys(`${KEY_PREFIX}:github:good:*`);
    expect(keys).toHaveLength(1);
    const kept = await file.redis.hkeys(keys[0] as string);
    expect(kept.toSorted()).toEqual(['b', 'c']);
  });

  test('are kept of four branches, those that were run last', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    for (const branch of ['one', 'two', 'three', 'four', 'one', 'five']) {
      await good(branch).write(['a'], new Map([['a', frame(branch)]]));
      vi.advanceTimersByTime(1_000);
    }
    const names = ['one', 'two', 'three', 'four', 'five'];
    const left = await Promise.all(names.map((branch) => good(branch).read('a')));
    expect(left).toEqual(['one', undefined, 'three', 'four', 'five']);
  });
});
