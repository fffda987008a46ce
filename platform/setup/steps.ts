const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Where the list of steps goes: a terminal gets a live line, everything else plain lines. */
export interface StepOutput {
  isTTY: boolean;
  write(text: string): void;
}

/** What a step may say while and after it runs. */
export interface StepNotes {
  /** Shown behind the title while the step runs. */
  progress: (text: string) => void;
  /** Nothing had to be done. */
  alreadyDone: () => void;
  /** Shown behind the title once the step is done, for example an address. */
  note: (text: string) => void;
}

export interface StepOptions {
  output?: StepOutput;
  /** Without a terminal: how often a step that is still running says so. */
  plainEveryMs?: number;
}

interface Running {
  title: string;
  started: number;
  progress: string;
}

/**
 * A list of named steps with their times. Steps may run at the same time; on a terminal the ones that take long share one
 * live line at the bottom.
 */
export class StepList {
  readonly #output: StepOutput;
  readonly #plainEveryMs: number;
  readonly #running = new Set<Running>();
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor({ output, plainEveryMs = 10_000 }: StepOptions = {}) {
    this.#output = output ?? {
      isTTY: process.stdout.isTTY,
      write: (text) => void process.stdout.write(text),
    };
    this.#plainEveryMs = plainEveryMs;
  }

  /** Runs one step; its line is printed when it ends, with a cross and the time when it throws. */
  async run<T>(title: string, work: (notes: StepNotes) => Promise<T>): Promise<T> {
    const step: Running = { title, started: performance.now(), progress: '' };
    let already = false;
    let note = '';
    this.#running.add(step);
    this.#watch();
    try {
      const result = await work({
        progress: (text) => void (step.progress = text),
        alreadyDone: () => void (already = true),
        note: (text) => void (note = text),
      });
      this.#finish(step, `✓ ${title}  ${already ? 'already set up' : elapsed(step)}${note && `  ${note}`}`);
      return result;
    } catch (error) {
      this.#finish(step, `✗ ${title}  ${elapsed(step)}`);
      throw error;
    }
  }

  /** Prints a line above the live one. */
  say(line: string): void {
    this.#output.write(`${this.#output.isTTY ? '\r\u001b[K' : ''}${line}\n`);
  }

  #finish(step: Running, line: string): void {
    this.#running.delete(step);
    this.say(line);
    if (this.#running.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #watch(): void {
    if (this.#timer) return;
    const everyMs = this.#output.isTTY ? 100 : this.#plainEveryMs;
    this.#timer = setInterval(() => this.#show(), everyMs).unref();
  }

  #show(): void {
    const lines = [...this.#running].map(
      (step) => `${step.title}  ${elapsed(step)}${step.progress && `  ${step.progress}`}`,
    );
    if (!this.#output.isTTY) {
      for (const line of lines) this.say(`… ${line}`);
      return;
    }
    const frame = FRAMES[this.#frame++ % FRAMES.length] ?? '';
    this.#output.write(`\r\u001b[K${frame} ${lines.join(' · ').slice(0, 100)}`);
  }
}

const elapsed = (step: Running): string => `${((performance.now() - step.started) / 1000).toFixed(1)} s`;

/** A list that shows nothing, for tests. */
export const silentSteps = (): StepList => new StepList({ output: { isTTY: false, write: () => {} } });
