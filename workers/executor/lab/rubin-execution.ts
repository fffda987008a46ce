import { z } from 'zod';
import { JupyterError, LabUnusableError, NoSuchKernelError } from './errors.ts';
import { codeOf } from './http-message.ts';
import type { LabApi } from './lab-api.ts';

/** What the lab says of an exception; the traceback is text for people, with the cell that raised it. */
const errorSchema = z.object({
  ename: z.string(),
  evalue: z.string(),
  traceback: z.union([z.string(), z.array(z.string()).transform((lines) => lines.join('\n'))]),
});

const answerSchema = z.object({ notebook: z.string(), error: errorSchema.nullish() });

const specsSchema = z.object({
  kernelspecs: z.record(z.string(), z.object({ spec: z.object({ language: z.string() }) })),
});

export interface RubinExecutionResult {
  /** Text of the ipynb, executed as far as it came. */
  ipynb: string;
  /** The notebook's exception, or that its kernel died. */
  error?: { ename: string; evalue: string; traceback: string };
}

/** What undici says of an answer above the limit. */
const TOO_LARGE = 'UND_ERR_RES_EXCEEDED_MAX_SIZE';

/** nbclient's name for a kernel that died under it. */
const DEAD_KERNEL = 'DeadKernelError';

/** Whether the error means that the kernel died, and not that the notebook raised it. */
export function isKernelDeath(error: { ename: string; traceback: string }): boolean {
  return error.ename === DEAD_KERNEL && isOfHandler(error.traceback);
}

/** Python's own form; where the notebook raised, nbclient puts the cell before it. */
const isOfHandler = (traceback: string) => traceback.startsWith('Traceback (most recent call last)');

/** The executed notebook is larger than any answer that is taken from a lab. */
export class AnswerTooLargeError extends JupyterError {
  override readonly name = 'AnswerTooLargeError';
}

/** Something other than the notebook failed in the handler: its kernel did not start, for example. */
export class HandlerFailedError extends JupyterError {
  override readonly name = 'HandlerFailedError';
}

/** Whether the handler may go on with the notebook although it gave no answer. */
export function mayStillRun(error: unknown): boolean {
  return error instanceof LabUnusableError && (error.trouble === 'gone' || error.trouble === 'unreachable');
}

/**
 * Runs notebooks by the lab's own handler, `POST rubin/execution` of rsp-jupyter-extensions: for labs to which no
 * websocket gets through. The handler runs nbclient inside the lab's server, which answers nothing else meanwhile. So
 * notebooks wait for each other here, a lab that is used like this is used by no kernel client, and there is no
 * progress, no interrupt and no timeout: who gives up waiting has to stop the lab.
 */
export class RubinExecution {
  readonly #api: LabApi;
  #previous: Promise<unknown> = Promise.resolve();

  constructor(api: LabApi) {
    this.#api = api;
  }

  /** The kernels that the lab has, each with its language as `language_info` would name it. @throws JupyterError */
  async kernelLanguages(signal: AbortSignal): Promise<Map<string, string>> {
    const { kernelspecs } = await this.#api.json('GET', 'api/kernelspecs', specsSchema, { signal });
    return new Map(Object.entries(kernelspecs).map(([name, { spec }]) => [name, spec.language]));
  }

  /**
   * Runs one notebook, after those that came before. When the signal fires while it runs, the lab goes on with it.
   *
   * @throws NoSuchKernelError, AnswerTooLargeError, HandlerFailedError, LabUnusableError, or another JupyterError
   */
  async run(ipynb: string, kernelName: string, signal: AbortSignal): Promise<RubinExecutionResult> {
    const turn = this.#previous.then(() => this.#post(ipynb, kernelName, signal));
    this.#previous = turn.catch(() => undefined);
    return turn;
  }

  async #post(ipynb: string, kernelName: string, signal: AbortSignal): Promise<RubinExecutionResult> {
    signal.throwIfAborted();
    const options = { signal, text: ipynb, headers: { 'X-Kernel-Name': kernelName }, timeoutMs: 0 };
    const answer = this.#api.json('POST', 'rubin/execution', answerSchema, options);
    const { notebook, error } = await answer.catch((error: unknown) => {
      if (codeOf(error) !== TOO_LARGE) throw error;
      throw new AnswerTooLargeError('The executed notebook is too large to be taken from the lab');
    });
    if (!error) return { ipynb: notebook };
    const { ename, evalue, traceback } = error;
    if (isOfHandler(traceback) && ename !== DEAD_KERNEL) {
      if (ename === 'NoSuchKernel')
        throw new NoSuchKernelError(`The lab has no kernel named "${kernelName}"`);
      throw new HandlerFailedError(`The lab failed: ${ename}: ${evalue}`);
    }
    return { ipynb: notebook, error: { ename, evalue, traceback } };
  }
}
