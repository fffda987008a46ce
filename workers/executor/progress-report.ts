import type { JobProgress } from '../../lib/contract/nbexec-job.ts';
import type { Progress } from './notebook/run-notebook.ts';

// Often enough for a person who watches, rarely enough to cost quick notebooks nothing.
const INTERVAL_MS = 200;

/** Passes a run's progress on: its first word at once, then at most a few a second, always the newest. */
export class ProgressReport {
  readonly #report: (progress: JobProgress) => void;
  #held: JobProgress | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(report: (progress: JobProgress) => void) {
    this.#report = report;
  }

  take(event: Progress): void {
    this.#held = {
      cells_done: event.cells_done,
      cells_total: event.cells_total,
      ...(event.type === 'cell_started' ? { current_cell: event.cell_index } : {}),
    };
    if (this.#timer) return;
    this.#flush();
    this.#timer = setInterval(() => this.#flush(), INTERVAL_MS);
  }

  /** Passes on what is still held back: the last word must be right. */
  close(): void {
    clearInterval(this.#timer);
    this.#flush();
  }

  #flush(): void {
    if (this.#held) this.#report(this.#held);
    this.#held = undefined;
  }
}
