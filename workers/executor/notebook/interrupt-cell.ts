import { setTimeout } from 'node:timers/promises';
import { settledOrAborted } from '../../../lib/abort.ts';
import type { ExecuteResult } from '../kernel/execute-result.ts';
import type { NotebookKernel } from '../kernel/leased-kernel.ts';

/** How long an interrupt waits for the kernel to begin the cell: some kernels may never say that they do. */
const BEGIN_MS = 250;

export interface Interruption {
  kernel: NotebookKernel;
  execution: Promise<ExecuteResult>;
  /** Settles with the cell's `execute_input`, by which a kernel says that it runs the cell. */
  begun: Promise<void>;
  graceMs: number;
  onWarning: (warning: string) => void;
}

/**
 * Interrupts the kernel and waits for the cell's end; undefined when it does not come within the grace.
 *
 * ipykernel ignores SIGINT between requests: an interrupt that overtakes the cell on its way there is lost, and the cell
 * would run for all the grace. So it is sent after `execute_input`, which ipykernel sends when it heeds SIGINT; and for
 * a second time should that come only after the first. Never twice to a cell that runs: the second would hit what the
 * notebook does about the first.
 */
export async function interruptCell(options: Interruption): Promise<ExecuteResult | undefined> {
  const grace = AbortSignal.timeout(options.graceMs);
  const interruption = interrupt(options, grace);
  const result = await settledOrAborted(options.execution, grace);
  await interruption;
  return result;
}

async function interrupt({ kernel, execution, begun, onWarning }: Interruption, grace: AbortSignal) {
  const send = () =>
    kernel.interrupt(grace).catch((error: unknown) => {
      onWarning(`The kernel could not be interrupted: ${(error as Error).message}`);
    });
  const ended = () => 'ended' as const;
  const next = Promise.race([begun.then(() => 'begun' as const), execution.then(ended, ended)]);
  const until = await Promise.race([next, setTimeout(BEGIN_MS, 'late' as const)]);
  if (until === 'ended' || grace.aborted) return;
  await send();
  if (until === 'late' && (await settledOrAborted(next, grace)) === 'begun') await send();
}
