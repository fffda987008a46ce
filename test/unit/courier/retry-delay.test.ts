import { expect, test } from 'vitest';
import { MAX_ATTEMPTS } from '../../../lib/contract/courier-job.ts';
import { LAST_ATTEMPT_MS } from '../../../lib/contract/suite-run.ts';
import { retryDelayMs } from '../../../workers/courier/retry-delay.ts';
import { SUITE_LIMITS } from '../../../workers/courier/suites/suites.ts';

const HOUR_MS = 3_600_000;
const delays = (askedMs: number, random: number) =>
  Array.from({ length: MAX_ATTEMPTS - 1 }, (_, n) => retryDelayMs(n + 1, 5_000, askedMs, random));
const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

test('pauses double, and all of them together are most of a day', () => {
  expect(delays(0, 0).slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
  expect(sum(delays(0, 0))).toBeLessThan(24 * HOUR_MS);
  expect(sum(delays(0, 1))).toBeGreaterThan(16 * HOUR_MS);
});

test('a run whose last attempt comes as late as can be is not taken for lost', () => {
  const [longest = 0] = delays(100 * HOUR_MS, 0).slice(-1);
  expect(longest + SUITE_LIMITS.lastMs).toBeLessThan(LAST_ATTEMPT_MS);
});

test('chance takes off up to a quarter', () => {
  expect(delays(0, 1).slice(0, 2)).toEqual([3_750, 7_500]);
});

test('the other side may ask for longer pauses, of an hour at most', () => {
  expect(retryDelayMs(1, 5_000, 60_000, 0)).toBe(60_000);
  expect(retryDelayMs(5, 5_000, 60_000, 0)).toBe(80_000);
  expect(retryDelayMs(1, 5_000, 100 * HOUR_MS, 0)).toBe(HOUR_MS);
});
