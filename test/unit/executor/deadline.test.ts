import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline, instant } from '../../../workers/executor/deadline.ts';

const HOLD_MS = 1_000;
const now = { wallMs: 0, monotonicMs: 0 };
const clocks = { wallMs: () => now.wallMs, monotonicMs: () => now.monotonicMs };
const onPassed = vi.fn<() => void>();
let deadline: Deadline;

beforeEach(() => {
  vi.useFakeTimers();
  onPassed.mockClear();
  now.wallMs = 1_000_000;
  now.monotonicMs = 500;
  deadline = new Deadline(HOLD_MS, instant(clocks), onPassed, clocks);
});
afterEach(() => {
  deadline.close();
  vi.useRealTimers();
});

/** Both clocks, and the timers with them. */
const pass = (ms: number) => {
  now.wallMs += ms;
  now.monotonicMs += ms;
  vi.advanceTimersByTime(ms);
};

describe('a deadline', () => {
  test('passes by itself, so long after the command was sent, and tells it once', () => {
    pass(HOLD_MS - 1);
    expect(deadline.passed).toBe(false);
    expect(onPassed).not.toHaveBeenCalled();
    pass(1);
    expect(onPassed).toHaveBeenCalledOnce();
    expect(deadline.passed).toBe(true);
    pass(HOLD_MS);
    expect(onPassed).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(['wallMs', 'monotonicMs'] as const)(
    'has passed when %s alone says so, before any timer',
    (clock) => {
      now[clock] += HOLD_MS;
      expect(deadline.passed).toBe(true);
      expect(onPassed).toHaveBeenCalledOnce();
    },
  );

  test('does not come back when a clock is set back', () => {
    now.wallMs += HOLD_MS;
    expect(deadline.passed).toBe(true);
    now.wallMs -= HOLD_MS;
    expect(deadline.passed).toBe(true);
  });

  test('counts from the sending of what renewed it, not from the answer', () => {
    const sent = instant(clocks);
    pass(HOLD_MS - 100);
    deadline.extendFrom(sent);
    pass(99);
    expect(deadline.passed).toBe(false);
    pass(1);
    expect(deadline.passed).toBe(true);
  });

  test('goes on for as long as it is renewed', () => {
    for (let renewals = 0; renewals < 10; renewals++) {
      pass(HOLD_MS - 100);
      deadline.extendFrom(instant(clocks));
    }
    expect(onPassed).not.toHaveBeenCalled();
    pass(HOLD_MS);
    expect(onPassed).toHaveBeenCalledOnce();
  });

  test('is not renewed by an answer that comes after it', () => {
    const sent = instant(clocks);
    pass(HOLD_MS);
    deadline.extendFrom({ ...sent, wallMs: sent.wallMs + HOLD_MS, monotonicMs: sent.monotonicMs + HOLD_MS });
    expect(deadline.passed).toBe(true);
  });

  test('is watched by no timer any more once nobody wants to know', () => {
    deadline.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
