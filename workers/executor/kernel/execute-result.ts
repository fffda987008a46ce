import { z } from 'zod';
import type { ExecuteReply, JsonObject, KernelMessage } from './messages.ts';

export interface ExecuteResult {
  reply: ExecuteReply;
  /** When the kernel sent the reply, ISO 8601 by its clock; absent when the reply was lost. */
  repliedAt?: string;
  /**
   * What did not come: `reply` is then put together from the outputs; without `idle`, or after the websocket was cut
   * (`output`), outputs may be missing.
   */
  missing?: 'reply' | 'idle' | 'output';
}

/** "Execute", reply content. Kernels in the field leave out what they have not: only the status must be there. */
const replySchema = z.object({
  status: z.enum(['ok', 'error', 'aborted', 'abort']),
  execution_count: z.number().int().nullish(),
  ename: z.string().nullish(),
  evalue: z.string().nullish(),
  traceback: z.array(z.string()).nullish(),
});

/** Reads an execute_reply; one that makes no sense is an error of the cell. */
export function readExecuteReply(message: KernelMessage, idle: boolean): ExecuteResult {
  const result: ExecuteResult = { reply: parseReply(message.content) };
  if (typeof message.header.date === 'string') result.repliedAt = message.header.date;
  if (!idle) result.missing = 'idle';
  return result;
}

/** The reply a request must have had, told from what its `execute_input` and `error` messages on iopub say. */
export function replyFromOutputs(executionCount: unknown, error: JsonObject | undefined): ExecuteResult {
  const status = error === undefined ? 'ok' : 'error';
  return { reply: parseReply({ ...error, status, execution_count: executionCount }), missing: 'reply' };
}

function parseReply(content: unknown): ExecuteReply {
  const parsed = replySchema.safeParse(content);
  if (!parsed.success) {
    return {
      status: 'error',
      ename: 'InvalidReply',
      evalue: 'The kernel sent an invalid reply',
      traceback: [],
    };
  }
  const { status, execution_count: count, ename, evalue, traceback } = parsed.data;
  const reply: ExecuteReply = { status: status === 'abort' ? 'aborted' : status };
  if (typeof count === 'number') reply.execution_count = count;
  if (typeof ename === 'string') reply.ename = ename;
  if (typeof evalue === 'string') reply.evalue = evalue;
  if (Array.isArray(traceback)) reply.traceback = traceback;
  return reply;
}
