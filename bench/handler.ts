import { startPlatform } from '../platform/platform.ts';
import { StepList } from '../platform/setup/steps.ts';
import type { StartedLab } from '../workers/executor/lab/start-lab.ts';
import { notebookOf, type Case } from './cases.ts';
import { startBenchLab } from './lab.ts';
import { timed } from './statistics.ts';

const STEP_MS = 60_000;

/**
 * The lab's own handler, `POST rubin/execution`, called as the executor's backend `extension` does, without the service
 * around it. It wants a Python environment of its own, and so a platform; the kernel is the same.
 */
export class Handler implements AsyncDisposable {
  readonly #lab: StartedLab;
  readonly #signal: AbortSignal;
  readonly #stack: AsyncDisposableStack;

  private constructor(lab: StartedLab, signal: AbortSignal, stack: AsyncDisposableStack) {
    this.#lab = lab;
    this.#signal = signal;
    this.#stack = stack;
  }

  static async start(stateDir: string, signal: AbortSignal): Promise<Handler> {
    await using stack = new AsyncDisposableStack();
    const options = {
      stateDir,
      kind: 'ext',
      functions: false,
      logLevel: 'WARNING',
      steps: new StepList(),
    } as const;
    const platform = stack.use(await startPlatform(options, signal));
    const lab = await startBenchLab(platform, signal);
    stack.defer(() => lab.stop(AbortSignal.timeout(STEP_MS)));
    return new Handler(lab, signal, stack.move());
  }

  /** Milliseconds of each run of a notebook. */
  async runs(item: Case, count: number): Promise<number[]> {
    const ipynb = JSON.stringify(notebookOf(item));
    const times: number[] = [];
    for (let n = 0; n <= count; n++) {
      times.push(
        await timed(async () => {
          const { error } = await this.#lab.rubinExecution.run(ipynb, 'python3', this.#signal);
          if (error) throw new Error(`the notebook failed: ${error.ename}: ${error.evalue}`);
        }),
      );
    }
    return times.slice(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
