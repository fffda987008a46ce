import { afterEach, expect, test, vi } from 'vitest';
import { Backoff } from '../../../workers/courier/callbacks/backoff.ts';

afterEach(() => vi.useRealTimers());

test('what fails is due after pauses that double up to 5 minutes, and says for how long it has failed', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const backoff = new Backoff();
  let expectedMs = 0;
  for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
    expect(backoff.isDue('a')).toBe(true);
    expect(backoff.failed('a')).toBe(expectedMs);
    vi.advanceTimersByTime(seconds * 1_000 - 1);
    expect(backoff.isDue('a')).toBe(false);
    expect(backoff.isDue('b')).toBe(true);
    vi.advanceTimersByTime(1);
    expectedMs += seconds * 1_000;
  }
  backoff.failed('a');
  backoff.forget('a');
  expect(backoff.isDue('a')).toBe(true);
  expect(backoff.failed('a')).toBe(0);
});
