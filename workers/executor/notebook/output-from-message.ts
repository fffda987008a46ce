import type { MimeBundle, Output } from '../../../lib/contract/nbformat.ts';
import { isObject, type JsonObject, type KernelMessage } from '../kernel/messages.ts';

/**
 * The nbformat output an iopub message stands for, as nbformat's `output_from_msg` makes it, or undefined for other
 * messages. User code writes these, so whatever is missing or of the wrong type is made good instead of refused: the
 * notebook stays valid. `transient` is for the frontend alone and never stored.
 */
export function outputFromMessage(message: KernelMessage): Output | undefined {
  const { content } = message;
  switch (message.header.msg_type) {
    case 'stream':
      return {
        output_type: 'stream',
        name: text(content['name'], 'stdout') as 'stdout' | 'stderr',
        text: text(content['text']),
      };
    case 'display_data':
    case 'update_display_data':
      return { output_type: 'display_data', ...mimeBundle(content) };
    case 'execute_result': {
      const count = content['execution_count'];
      return {
        output_type: 'execute_result',
        ...mimeBundle(content),
        execution_count: Number.isInteger(count) ? (count as number) : null,
      };
    }
    case 'error':
      return errorOutput(content);
    default:
      return undefined;
  }
}

/** The error output of an `error` message or of an execute_reply's error fields ("Execution errors"). */
export function errorOutput(content: { ename?: unknown; evalue?: unknown; traceback?: unknown }): Output & {
  output_type: 'error';
} {
  const { traceback } = content;
  return {
    output_type: 'error',
    ename: text(content.ename, 'Error'),
    evalue: text(content.evalue),
    traceback: Array.isArray(traceback) ? traceback.map((line) => text(line)) : [],
  };
}

/** `data` and `metadata` of a display_data, update_display_data or execute_result. */
export function mimeBundle(content: JsonObject): { data: MimeBundle; metadata: JsonObject } {
  const { data, metadata } = content;
  // In nbformat's order, which a notebook sees that looks at its Output widgets.
  return { metadata: isObject(metadata) ? metadata : {}, data: isObject(data) ? data : {} };
}

/** `transient.display_id`: names an output so that later messages can replace it. */
export function displayId(message: KernelMessage): string | undefined {
  const transient = message.content['transient'];
  const id = isObject(transient) ? transient['display_id'] : undefined;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function text(value: unknown, absent = ''): string {
  return typeof value === 'string'
    ? value
    : value === undefined || value === null
      ? absent
      : JSON.stringify(value);
}
