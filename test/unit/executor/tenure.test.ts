import { expect, test, vi } from 'vitest';
import { tenureOf } from '../../../workers/executor/tenure.ts';

const HOUR_MS = 3_600_000;

/** When a lab with such a token is given up, in milliseconds from its minting. */
function endOf(lifetimeMs: number, stopGraceMs: number) {
  const timeout = vi.spyOn(AbortSignal, 'timeout');
  const tenure = tenureOf(lifetimeMs, stopGraceMs);
  const endMs = timeout.mock.lastCall?.[0] as number;
  timeout.mockRestore();
  return { endMs, ...tenure };
}

test('a lab is given up early enough for the longest notebook to end, however short the grace after SIGTERM', () => {
  const { endMs, end, graceMs } = endOf(24 * HOUR_MS, 30_000);
  expect(end.graceMs).toBe(HOUR_MS);
  expect(endMs + end.graceMs).toBe(24 * HOUR_MS - 60_000);
  expect(graceMs).toBe(30_000);
});

test('a long grace after SIGTERM holds here too', () => {
  expect(endOf(24 * HOUR_MS, 2 * HOUR_MS).end.graceMs).toBe(2 * HOUR_MS);
});

test('a short token leaves most of its time to serving', () => {
  const { endMs, end, graceMs } = endOf(20_000, HOUR_MS);
  expect([endMs, end.graceMs, graceMs]).toEqual([10_000, 8_000, 8_000]);
});

test('a token for a year does not overflow a timer', () => {
  expect(endOf(365 * 24 * HOUR_MS, 0).endMs).toBe(2 ** 31 - 1);
});
