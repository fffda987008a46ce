import { z } from 'zod';
import { NoSuchKernelError } from './errors.ts';
import type { LabApi } from './lab-api.ts';

/** What the lab says of an exception; `err_msg` is the whole of it, traceback included, as text for people. */
const errorSchema = z.object({
  ename: z.string(),
  evalue: z.string(),
  traceback: z.union([z.string(), z.array(z.string()).transform((lines) => lines.join('\n'))]),
  err_msg: z.string().optional(),
});

const answerSchema = z.object({ notebook: z.string(), error: errorSchema.nullish() });

export interface RubinExecutionResult {
  /** Text of the ipynb, executed as far as it came. */
  ipynb: string;
  /** The notebook's exception; also anything that went wrong in the handler, a kernel that died included. */
  error?: { ename: string; evalue: string; traceback: string };
}

/** nbclient's name for a kernel that died under it. */
const DEAD_KERNEL = 'DeadKernelError';

/** Whether the error means that the kernel died, and not that the notebook raised it. */
export function isKernelDeath(error: { ename: string; traceback: string }): boolean {
  return error.ename === DEAD_KERNEL && error.traceback.includes('nbclient');
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

  /**
   * Runs one notebook, after those that came before. When the signal fires while it runs, the lab goes on with it.
   *
   * @throws NoSuchKernelError, LabUnusableError, or another JupyterError
   */
  async run(ipynb: string, kernelName: string, signal: AbortSignal): Promise<RubinExecutionResult> {
    const turn = this.#previous.then(() => this.#post(ipynb, kernelName, signal));
    this.#previous = turn.catch(() => undefined);
    return turn;
  }

  async #post(ipynb: string, kernelName: string, signal: AbortSignal): Promise<RubinExecutionResult> {
    signal.throwIfAborted();
    const options = { signal, text: ipynb, headers: { 'X-Kernel-Name': kernelName }, timeoutMs: 0 };
    const { notebook, error } = await this.#api.json('POST', 'rubin/execution', answerSchema, options);
    if (!error) return { ipynb: notebook };
    if (error.ename === 'NoSuchKernel')
      throw new NoSuchKernelError(`The lab has no kernel named "${kernelName}"`);
    const { ename, evalue, traceback } = error;
    return { ipynb: notebook, error: { ename, evalue, traceback } };
  }
}
