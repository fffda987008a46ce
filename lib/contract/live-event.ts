/** What happens to a job while it runs, as watchers see it: the entries of its stream, and SSE's data. */
import { z } from 'zod';
import { errorReason, type ExecutionError } from './execution-error.ts';
import { endPhase, jobPhase } from './job-status.ts';

const cellIndex = z
  .number()
  .int()
  .meta({ description: 'Counted from 0 over all cells that are run or not.' });
const counts = { cells_done: z.number().int(), cells_total: z.number().int() };

/** By `type`, which is SSE's event name. */
export const liveEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('job_started'),
    attempt: z
      .number()
      .int()
      .meta({ description: 'From 1; what earlier attempts have shown counts no more.' }),
  }),
  z.object({ type: z.literal('cell_started'), cell_index: cellIndex, ...counts }),
  z.object({
    type: z.literal('output'),
    cell_index: cellIndex,
    output: z.looseObject({ output_type: z.string() }).meta({
      description: 'An output of nbformat; text of the same stream that came within a moment is one output.',
    }),
    display_id: z.string().optional(),
    update: z
      .boolean()
      .optional()
      .meta({ description: 'Replaces what was shown under the same display_id.' }),
    truncated: z.boolean().optional().meta({
      description:
        'Not all is shown live: text lost its beginning, data its largest representations, or further outputs are left out.',
    }),
  }),
  z.object({ type: z.literal('outputs_cleared'), cell_index: cellIndex, wait: z.boolean() }),
  z.object({ type: z.literal('cell_finished'), cell_index: cellIndex, ...counts }),
  z.object({
    type: z.literal('job_ended'),
    phase: jobPhase,
    success: z.boolean(),
    ipynb_error: z.string().optional().meta({ description: "The name of the notebook's own exception." }),
    reason: errorReason.optional(),
  }),
]);
export type LiveEvent = z.infer<typeof liveEvent>;

/** The last event of a job. */
export function jobEnded(error: ExecutionError | undefined, raised: string | undefined): LiveEvent {
  return {
    type: 'job_ended',
    phase: endPhase(error),
    success: error === undefined,
    ...(raised === undefined ? {} : { ipynb_error: raised }),
    ...(error?.reason ? { reason: error.reason } : {}),
  };
}
