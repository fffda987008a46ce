import type { LiveEvent } from '../../lib/contract/live-event.ts';
import type { SuiteCase } from '../../suite/plan.ts';
import type { CaseResult } from '../../suite/report.ts';
import { paintFor } from './colours.ts';
import { LiveLine } from './live-line.ts';
import { resultLine } from '../../suite/reports/terminal.ts';
import { secondsText } from '../../suite/reports/words.ts';
import { oneLine, type Paint } from '../../suite/reports/terminal-style.ts';

/** Shows a suite as it runs: a line for each notebook that has ended, and on a terminal one more of what runs. */
export class Progress implements Disposable {
  readonly #stream: NodeJS.WritableStream;
  readonly #paint: Paint;
  readonly #live: LiveLine;
  /** In the service: how far each has come, when it has begun. */
  readonly #running = new Map<string, string | undefined>();
  readonly #begun = performance.now();
  readonly #total: number;
  readonly #width: number;
  #ended = 0;

  constructor(cases: readonly SuiteCase[], stream: NodeJS.WritableStream) {
    this.#stream = stream;
    this.#paint = paintFor(stream);
    this.#total = cases.length;
    this.#width = Math.min(60, Math.max(...cases.map(({ name }) => name.length)));
    this.#live = new LiveLine(stream, () => this.#status());
  }

  submitted({ name }: SuiteCase): void {
    this.#running.set(name, undefined);
  }

  happened({ name }: SuiteCase, event: LiveEvent): void {
    if (!this.#running.has(name)) return;
    if (event.type === 'job_started') this.#running.set(name, name);
    if ('cells_done' in event) this.#running.set(name, `${name} ${event.cells_done}/${event.cells_total}`);
  }

  ended(result: CaseResult): void {
    this.#running.delete(result.name);
    this.#ended++;
    this.#live.above(() => this.#stream.write(`${resultLine(result, this.#width, this.#paint)}\n`));
  }

  [Symbol.dispose](): void {
    this.#live[Symbol.dispose]();
  }

  #status(): string {
    const shown = [...this.#running.values()].filter((text) => text !== undefined);
    const waiting = this.#running.size - shown.length;
    const time = secondsText((performance.now() - this.#begun) / 1_000);
    const parts = [
      `${this.#ended}/${this.#total}`,
      time,
      ...(waiting > 0 ? [`${waiting} waiting`] : []),
      ...shown,
    ];
    return oneLine(parts.join('  '));
  }
}
