import { describe, expect, test } from 'vitest';
import type { NbexecJobData } from '../../../lib/contract/nbexec-job.ts';
import {
  afterLoss,
  attemptOf,
  onceBegun,
  refusal,
  rerunDelayMs,
} from '../../../workers/executor/jobs/attempts.ts';
import { ConnectionLostError, GiveBackError } from '../../../workers/executor/jobs/errors.ts';

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

const LAB_LOST = new GiveBackError('the lab is gone');
const CONNECTION_LOST = new ConnectionLostError('cut');

/** A job after these losses: its executor's death, or why it was given back. */
function after(losses: ('death' | Error)[], changes: Partial<NbexecJobData> = {}) {
  const job = record(0, 0, changes);
  for (const loss of losses) {
    if (loss === 'death') job.stalledCounter += 1;
    else job.data = afterLoss(job, loss);
  }
  return job;
}

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

  test.each([
    ['its lab', [LAB_LOST], 'lab_lost'],
    ['its executor', ['death'], 'executor_lost'],
    ['its lab, then its executor', [LAB_LOST, 'death'], 'executor_lost'],
    ['its executor, then its lab', ['death', LAB_LOST], 'lab_lost'],
    ['its lab, then a run to a fault of ours', [LAB_LOST, new TypeError('a bug')], 'executor_lost'],
  ] as const)('that lost %s says so when it may not be rerun', (_, losses, reason) => {
    const job = after([...losses], { enable_retry: false, first_cell_started: true });
    expect(refusal(job)?.error).toMatchObject({ reason });
  });

  test('that lost its lab before it began says nothing of that when it ends later', () => {
    const job = after([LAB_LOST], { enable_retry: false });
    expect(refusal({ ...job, data: onceBegun(job.data) })?.error).toMatchObject({ reason: 'executor_lost' });
  });

  test('that lost too many labs says so', () => {
    const five = after(Array.from({ length: 5 }, () => LAB_LOST));
    expect(refusal(five)?.error).toMatchObject({ reason: 'lab_lost', code: 'jupyter_error' });
  });

  test('that loses its connection spends none of its attempts, and is given up after five of these', () => {
    const cuts = (times: number) => Array.from({ length: times }, () => CONNECTION_LOST);
    const job = after([...cuts(4), LAB_LOST, LAB_LOST, LAB_LOST, LAB_LOST]);
    expect(refusal(job)).toBeUndefined();
    expect(attemptOf(job)).toBe(9);
    expect(refusal(after(cuts(5)))?.error).toMatchObject({
      reason: 'lab_lost',
      message: expect.stringContaining('5 times') as string,
    });
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
  for (let lost = record(0); delays.length < 5;) {
    lost = { ...lost, data: afterLoss(lost, LAB_LOST) };
    delays.push(rerunDelayMs(lost, 1_000));
  }
  expect(delays).toEqual([0, 1_000, 2_000, 4_000, 0]);
});

test('a job that may not be begun again waits for nothing', () => {
  expect(rerunDelayMs(record(3, 0, { first_cell_started: true }), 1_000)).toBe(0);
});
