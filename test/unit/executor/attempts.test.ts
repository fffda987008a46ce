import { describe, expect, test } from 'vitest';
import type { NbexecJobData } from '../../../lib/contract/nbexec-job.ts';
import { afterLoss, attemptOf, refusal, rerunDelayMs } from '../../../workers/executor/jobs/attempts.ts';

const data = (changes: Partial<NbexecJobData> = {}): NbexecJobData => ({
  version: 1,
  owner: 'alice',
  kernel_name: 'lsst',
  timeout_seconds: 60,
  enable_retry: true,
  ...changes,
});
const record = (lost_attempts: number, stalledCounter = 0, changes: Partial<NbexecJobData> = {}) => ({
  data: data({ lost_attempts, ...changes }),
  stalledCounter,
});

describe('a job', () => {
  test('counts what was lost with a lab and what was lost with an executor', () => {
    expect(attemptOf({ data: data(), stalledCounter: 0 })).toBe(1);
    expect(attemptOf(record(1, 2))).toBe(4);
  });

  test.each([
    [4, 0, false],
    [5, 0, true],
    [1, 3, false],
    [2, 3, true],
  ])('that lost %i labs and %i executors is given up: %s', (labs, executors, givenUp) => {
    expect(refusal(record(labs, executors)) !== undefined).toBe(givenUp);
  });

  test('is given up when BullMQ says so', () => {
    const error = { code: 'unknown', reason: 'executor_lost' };
    expect(refusal({ ...record(0, 4), deferredFailure: 'stalled' })).toMatchObject({ error });
  });

  test('is not begun again once it has begun, where that is not wanted', () => {
    expect(refusal(record(0, 0, { enable_retry: false }))).toBeUndefined();
    expect(refusal(record(0, 0, { enable_retry: false, first_cell_started: true }))).toBeDefined();
  });

  test('of another version of the service is given up', () => {
    expect(refusal({ data: { version: 2 } as unknown as NbexecJobData, stalledCounter: 0 })).toBeDefined();
  });
});

test('a job that lost its lab is begun again at once, then after 1 s, 2 s, 4 s, and ended at once', () => {
  const delays: number[] = [];
  for (let lost = afterLoss(data()); delays.length < 5; lost = afterLoss(lost)) {
    delays.push(rerunDelayMs({ data: lost, stalledCounter: 0 }, 1_000));
  }
  expect(delays).toEqual([0, 1_000, 2_000, 4_000, 0]);
});

test('a job that may not be begun again waits for nothing', () => {
  expect(rerunDelayMs(record(3, 0, { first_cell_started: true }), 1_000)).toBe(0);
});
