import type { LiveEvent } from '../../lib/contract/live-event.ts';
import { crashpoint } from '../../lib/crashpoint.ts';
import type { ExecuteResult } from './kernel/execute-result.ts';
import type { ExecuteOptions } from './kernel/kernel-connection.ts';
import type { NotebookKernel } from './kernel/leased-kernel.ts';
import type { CommMessage, KernelMessage } from './kernel/messages.ts';
import { displayId, outputFromMessage } from './notebook/output-from-message.ts';

/** A kernel whose cells' outputs are also told as they come. */
export class LiveKernel implements NotebookKernel {
  readonly #kernel: NotebookKernel;
  readonly #tell: (event: LiveEvent) => void;
  readonly #guard: () => void;
  /** Which cell of the notebook is executed next; whoever runs the notebook knows. */
  cellIndex = 0;

  /** @param guard called before each cell; throws when the kernel may not be used any more */
  constructor(kernel: NotebookKernel, tell: (event: LiveEvent) => void, guard: () => void) {
    this.#kernel = kernel;
    this.#tell = tell;
    this.#guard = guard;
  }

  get languageInfo() {
    return this.#kernel.languageInfo;
  }

  async execute(code: string, options: ExecuteOptions): Promise<ExecuteResult> {
    this.#guard();
    // A thread's late print belongs to the cell that started it, whichever runs by then.
    const cellIndex = this.cellIndex;
    const onIopub = (message: KernelMessage) => {
      void crashpoint('s6');
      options.onIopub(message);
      const event = outputEvent(message, cellIndex);
      if (event) this.#tell(event);
    };
    return this.#kernel.execute(code, { ...options, onIopub });
  }

  sendComm(comm: CommMessage): boolean {
    return this.#kernel.sendComm(comm);
  }

  interrupt(signal: AbortSignal): Promise<void> {
    return this.#kernel.interrupt(signal);
  }
}

function outputEvent(message: KernelMessage, cellIndex: number): LiveEvent | undefined {
  if (message.header.msg_type === 'clear_output') {
    return { type: 'outputs_cleared', cell_index: cellIndex, wait: message.content['wait'] === true };
  }
  const output = outputFromMessage(message);
  if (!output) return undefined;
  const id = displayId(message);
  return {
    type: 'output',
    cell_index: cellIndex,
    output,
    ...(id === undefined ? {} : { display_id: id }),
    ...(message.header.msg_type === 'update_display_data' ? { update: true } : {}),
  };
}
