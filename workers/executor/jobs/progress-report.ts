import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import type { JobProgress } from '../../../lib/contract/nbexec-job.ts';

type CellEvent = Extract<LiveEvent, { type: 'cell_started' | 'cell_finished' }>;

// Quick notebooks end before anybody could look; the outcome has their progress.
const FIRST_REPORT_MS = 50;
// Often enough for a person who watches.
const INTERVAL_MS = 200;

/** Passes a run's progress on: first when it has run for a moment, then a few times a second, always the newest. */
export class ProgressReport {
  readonly #report: (progress: JobProgress) => void;
  #latest: JobProgress | undefined;
  #held = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(report: (progress: JobProgress) => void) {
    this.#report = report;
  }

  /** How far the run has come. */
  get latest(): JobProgress | undefined {
    return this.#latest;
  }

  take(event: CellEvent): void {
    const first = this.#latest === undefined;
    this.#latest = {
      cells_done: event.cells_done,
      cells_total: event.cells_total,
      ...(event.type === 'cell_started' ? { current_cell: event.cell_index } : {}),
    };
    this.#held = true;
    this.#timer ??= setTimeout(() => this.#flush(), first ? FIRST_REPORT_MS : INTERVAL_MS);
  }

  /** Reports no more: the outcome has the last word. */
  close(): void {
    clearTimeout(this.#timer);
    this.#held = false;
  }

  #flush(): void {
    this.#timer = undefined;
    if (!this.#held || !this.#latest) return;
    this.#held = false;
    this.#report(this.#latest);
    // Not before a moment has passed, whatever comes until then.
    this.#timer = setTimeout(() => this.#flush(), INTERVAL_MS);
  }
}
