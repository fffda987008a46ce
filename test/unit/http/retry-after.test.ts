import { describe, expect, test } from 'vitest';
import { retryAfter } from '../../../lib/http/retry-after.ts';
import { secondsOf } from '../../../lib/queue/start-estimate.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';

const job = (changes: Partial<JobSnapshot>): JobSnapshot => ({
  id: 'nbexec-1',
  data: { version: 1, owner: 'alice', kernel_name: 'lsst', timeout_seconds: 60, enable_retry: true },
  state: 'waiting',
  enqueuedAtMs: 0,
  ...changes,
});

describe('a job is worth a look again', () => {
  test('when it may start', () => {
    expect(retryAfter(job({ startsInSeconds: 42 }))).toEqual({ 'Retry-After': '42' });
  });

  test.each([
    [0, '1'],
    [5, '2'],
    [20, '5'],
    [3_000, '10'],
  ])('in a quarter of the %i s that it has run, within bounds: %s s', (ran, seconds) => {
    const running = job({ state: 'active', startedAtMs: Date.now() - ran * 1_000 + 100 });
    expect(retryAfter(running)).toEqual({ 'Retry-After': seconds });
  });

  test('soon when it is about to come back', () => {
    expect(retryAfter(job({ state: 'delayed' }))).toEqual({ 'Retry-After': '1' });
  });

  test('no more once it has ended', () => {
    expect(retryAfter(job({ state: 'ended' }))).toEqual({});
  });
});

test.each([
  ['nothing is known', [0, 0, 0], 1],
  ['nobody runs yet', [2, 0, 10_000], 30],
  ['many run', [9, 5, 10_000], 20],
  ['it would be very long', [10_000, 1, 10_000], 300],
] as const)('when %s, the start is estimated', (_, pace, seconds) => {
  expect(secondsOf(pace)).toBe(seconds);
});
