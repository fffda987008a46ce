import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JobProgress } from '../../../lib/contract/nbexec-job.ts';
import { ProgressReport } from '../../../workers/executor/jobs/progress-report.ts';

let reported: JobProgress[];
let report: ProgressReport;

beforeEach(() => {
  vi.useFakeTimers();
  reported = [];
  report = new ProgressReport((progress) => reported.push(progress));
});

afterEach(() => {
  vi.useRealTimers();
});

const started = (cell: number) =>
  report.take({ type: 'cell_started', cell_index: cell, cells_done: cell, cells_total: 3 });
const finished = (cell: number) =>
  report.take({ type: 'cell_finished', cell_index: cell, cells_done: cell + 1, cells_total: 3 });

describe('the progress of a run', () => {
  test('is told when the run has taken a moment', () => {
    started(0);
    expect(reported).toEqual([]);
    vi.advanceTimersByTime(50);
    expect(reported).toEqual([{ cells_done: 0, cells_total: 3, current_cell: 0 }]);
  });

  test('is then told a few times a second at most, always the newest', () => {
    started(0);
    vi.advanceTimersByTime(50);
    finished(0);
    started(1);
    vi.advanceTimersByTime(199);
    expect(reported).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(reported.slice(1)).toEqual([{ cells_done: 1, cells_total: 3, current_cell: 1 }]);
  });

  test('is not told again while nothing happens', () => {
    started(0);
    vi.advanceTimersByTime(10_000);
    expect(reported).toHaveLength(1);
    finished(0);
    vi.advanceTimersByTime(200);
    expect(reported).toHaveLength(2);
  });

  test('names the cell that runs only while one does', () => {
    started(0);
    finished(0);
    expect(report.latest).toEqual({ cells_done: 1, cells_total: 3 });
  });

  test('of a quick run is known at its end, and costs nothing before', () => {
    for (const cell of [0, 1, 2]) {
      started(cell);
      finished(cell);
    }
    report.close();
    vi.advanceTimersByTime(10_000);
    expect(reported).toEqual([]);
    expect(report.latest).toEqual({ cells_done: 3, cells_total: 3 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
