import { z } from 'zod';

/** What Noteburst v1 clients know; the set is closed, new distinctions go into `reason`. */
export const errorCode = z.enum(['timeout', 'jupyter_error', 'unknown']);
export type ErrorCode = z.infer<typeof errorCode>;

export const errorReason = z.enum([
  'cell_timeout',
  'run_timeout',
  'kernel_died',
  'unknown_kernel',
  'invalid_notebook',
  'expired',
  'lab_lost',
  'output_limit',
  'cancelled',
  'executor_lost',
]);
export type ErrorReason = z.infer<typeof errorReason>;

/** Why a job ended without the notebook having run to its end or to an exception of its own. */
export const executionError = z.object({
  code: errorCode.meta({ description: 'The reference code of the error.' }),
  message: z.string().optional().meta({ description: 'What happened, and what can be done about it.' }),
  exception_type: z
    .string()
    .optional()
    .meta({ description: 'The type of the exception, where there is one.' }),
  reason: errorReason.optional().meta({ description: 'What went wrong, more exactly than `code` says.' }),
  cell_index: z.number().int().optional().meta({ description: 'The cell that was running, counted from 0.' }),
});
export type ExecutionError = z.infer<typeof executionError>;

/** An exception that the notebook itself raised. */
export const notebookError = z.object({
  name: z.string().meta({ description: 'The name of the exception.' }),
  message: z.string().meta({ description: "The exception's message." }),
});

const CODE_OF_REASON: Record<ErrorReason, ErrorCode> = {
  cell_timeout: 'timeout',
  run_timeout: 'timeout',
  kernel_died: 'jupyter_error',
  unknown_kernel: 'jupyter_error',
  invalid_notebook: 'unknown',
  expired: 'timeout',
  lab_lost: 'jupyter_error',
  output_limit: 'jupyter_error',
  cancelled: 'unknown',
  executor_lost: 'unknown',
};

/** Builds the wire error of a reason, with the v1 code that an old client understands. */
export function errorOf(reason: ErrorReason, message: string, cellIndex?: number): ExecutionError {
  return {
    code: CODE_OF_REASON[reason],
    reason,
    message,
    ...(cellIndex === undefined ? {} : { cell_index: cellIndex }),
  };
}
