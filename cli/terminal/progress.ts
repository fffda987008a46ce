import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import type { SuiteCase } from '../../suite/plan.ts';
import type { CaseResult } from '../../suite/report.ts';
import { paintFor } from './colours.ts';
import { LiveLine } from './live-line.ts';
import { resultLine } from '../../suite/reports/terminal.ts';
import { secondsText } from '../../suite/reports/words.ts';
import { harmless, type Paint } from '../../suite/reports/terminal-style.ts';

/** Shows a suite as it runs: a line for each notebook that has ended, and on a terminal one more of what runs. */
export class Progress implements Disposable {
  readonly #stream: NodeJS.WritableStream;
  readonly #paint: Paint;
  readonly #live: LiveLine;
  readonly #running = new Map<string, NotebookResponse>();
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

  update({ name }: SuiteCase, job: NotebookResponse): void {
    this.#running.set(name, job);
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
    const jobs = [...this.#running];
    const running = jobs.filter(([, { phase }]) => phase === 'running');
    const shown = running.map(([name, { progress }]) =>
      progress ? `${name} ${progress.cells_done}/${progress.cells_total}` : name,
    );
    const waiting = jobs.length - running.length;
    const time = secondsText((performance.now() - this.#begun) / 1_000);
    const parts = [
      `${this.#ended}/${this.#total}`,
      time,
      ...(waiting > 0 ? [`${waiting} waiting`] : []),
      ...shown,
    ];
    return harmless(parts.join('  '), false);
  }
}
