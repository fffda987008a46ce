import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { goodBranchesKey, runKey } from '../../lib/queue/github-keys.ts';
import { GoodRuns } from '../../lib/queue/good-runs.ts';
import { commitRunId } from '../../lib/queue/run-id.ts';
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

test('a run that a newer release has written in its own way keeps no other from being listed', async () => {
  await runs.write(nth(1));
  await runs.write(nth(2));
  await file.redis.hset(runKey(idOf(2)), 'run', JSON.stringify({ ...nth(2), state: 'paused' }));
  expect((await runs.list(REPOSITORY)).map(({ id }) => id)).toEqual([idOf(1)]);
  expect(await runs.find(idOf(2))).toBeUndefined();
});

describe('the last report of a branch', () => {
  const commit = (letter: string) => letter.repeat(40);
  const first = (n: number, letter: string) =>
    nth(n, { id: commitRunId(REPOSITORY, commit(letter)), commit: commit(letter) });
  const last = () => runs.lastReport(REPOSITORY, 'main');

  test('is of the newest commit, also when the run of an older one ends later', async () => {
    await runs.write(first(2, 'b'), { report: '"b"' });
    await runs.write(first(1, 'a'), { report: '"a"' });
    expect(await last()).toBe('"b"');
    await runs.write(first(3, 'c'), { report: '"c"' });
    expect(await last()).toBe('"c"');
  });

  test.each([
    ['an older commit', 'a', '"b"'],
    ['a commit that nobody remembers', 'f', '"b"'],
    ['the newest commit', 'b', '"again"'],
  ])('after a re-run of %s', async (_, letter, expected) => {
    await runs.write(first(1, 'a'), { report: '"a"' });
    await runs.write(first(2, 'b'), { report: '"b"' });
    const again = nth(9, { commit: commit(letter), event: 'rerun' });
    await runs.write(again, { report: '"again"' });
    expect(await last()).toBe(expected);
    expect(await runs.document(again.id, 'report')).toBe('"again"');
  });
});

describe('last good runs of a branch', () => {
  const good = (branch: string, of: { base?: string; baseline?: string } = {}) =>
    new GoodRuns(file.redis, { repository: REPOSITORY, branch, ...of });
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

  test('are those of its base where a notebook has not passed on it yet', async () => {
    const of = { base: 'main' };
    await good('main').write(
      ['a', 'b'],
      new Map([
        ['a', frame('a1')],
        ['b', frame('b1')],
      ]),
    );
    await good('topic', of).write(['a', 'b'], new Map([['b', frame('b2')]]));
    const topic = good('topic', of);
    expect([await topic.read('a'), await topic.read('b')]).toEqual(['a1', 'b2']);
    expect(await good('main').read('b')).toBe('b1');
  });

  test('stay where they are the base of others, however many those are', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    await good('main').write(['a'], new Map([['a', frame('main')]]));
    for (let n = 0; n < 6; n++) {
      vi.advanceTimersByTime(1_000);
      const topic = good(`topic-${n}`, { base: 'main' });
      expect(await topic.read('a')).toBe('main');
      await topic.write(['a'], new Map([['a', frame(`topic-${n}`)]]));
    }
    expect(await good('main').read('a')).toBe('main');
    expect(await file.redis.keys(`${KEY_PREFIX}:github:good:*`)).toHaveLength(4);
    // A base that was never run is no branch that counts.
    await good('other', { base: 'never' }).write(['a'], new Map());
    expect(await file.redis.zscore(goodBranchesKey(REPOSITORY), 'never')).toBeNull();
  });

  test('are others under another name of the suite', async () => {
    await good('main').write(['a'], new Map([['a', frame('old')]]));
    const renamed = good('main', { baseline: 'v2' });
    expect(await renamed.read('a')).toBeUndefined();
    await renamed.write(['a'], new Map([['a', frame('new')]]));
    expect(await renamed.read('a')).toBe('new');
    expect(await good('topic', { base: 'main', baseline: 'v2' }).read('a')).toBe('new');
    expect(await good('topic', { base: 'main' }).read('a')).toBe('old');
  });
});
