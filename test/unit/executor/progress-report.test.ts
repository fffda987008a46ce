import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JobProgress } from '../../../lib/contract/nbexec-job.ts';
import { ProgressReport } from '../../../workers/executor/progress-report.ts';

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
  report.take({ type: 'cell_finished', cell_index: cell, cells_done: cell + 1, cells_total: 3, outputs: [] });

describe('the progress of a run', () => {
  test('is told at once when the first cell begins', () => {
    started(0);
    expect(reported).toEqual([{ cells_done: 0, cells_total: 3, current_cell: 0 }]);
  });

  test('is then told a few times a second at most, always the newest', () => {
    started(0);
    vi.advanceTimersByTime(100);
    finished(0);
    started(1);
    expect(reported).toHaveLength(1);
    vi.advanceTimersByTime(100);
    expect(reported.slice(1)).toEqual([{ cells_done: 1, cells_total: 3, current_cell: 1 }]);
  });

  test('is not told again while nothing happens', () => {
    started(0);
    vi.advanceTimersByTime(10_000);
    expect(reported).toHaveLength(1);
  });

  test('names the cell that runs only while one does', () => {
    started(2);
    finished(2);
    vi.advanceTimersByTime(200);
    expect(reported.at(-1)).toEqual({ cells_done: 3, cells_total: 3 });
  });

  test('of a quick notebook is told twice: its begin and its end', () => {
    for (const cell of [0, 1, 2]) {
      started(cell);
      finished(cell);
    }
    report.close();
    expect(reported).toEqual([
      { cells_done: 0, cells_total: 3, current_cell: 0 },
      { cells_done: 3, cells_total: 3 },
    ]);
  });

  test('is told no more after its end', () => {
    started(0);
    finished(0);
    report.close();
    vi.advanceTimersByTime(10_000);
    expect(reported).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of a notebook without cells is not told at all', () => {
    report.close();
    expect(reported).toEqual([]);
  });
});
