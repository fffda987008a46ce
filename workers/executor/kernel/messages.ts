import { randomUUID } from 'node:crypto';

/**
 * Messages of the Jupyter protocol, as far as a client without a person in front of it needs them.
 * https://jupyter-client.readthedocs.io/en/stable/messaging.html
 *
 * What arrives is written by whatever the user's code runs, so contents stay `unknown` until someone has looked
 * (`execute-future.ts` for replies, `notebook/output-from-message.ts` for outputs). What we send is typed exactly.
 */
export type JsonObject = Record<string, unknown>;

/** "General Message Format", message header. `date` is ISO 8601; `session` names the sending process. */
export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
}

/** `parent_header` of what nobody asked for is `{}`. */
export interface KernelMessage {
  channel: string;
  header: Header;
  parent_header: Partial<Header>;
  metadata: JsonObject;
  content: JsonObject;
  buffers: Uint8Array[];
}

/** "Execute", request content. */
export interface ExecuteRequest {
  code: string;
  silent: boolean;
  store_history: boolean;
  user_expressions: Record<string, string>;
  allow_stdin: false;
  stop_on_error: boolean;
}

/** "Execute", reply content; ename, evalue and traceback come with status `error` alone. */
export interface ExecuteReply {
  status: 'ok' | 'error' | 'aborted';
  execution_count?: number;
  ename?: string;
  evalue?: string;
  traceback?: string[];
}

/** "Custom Messages", comm_msg content. */
export interface CommMessage {
  comm_id: string;
  data: JsonObject;
}

/** Each request we send, by channel and type. */
interface Requests {
  execute_request: { channel: 'shell'; content: ExecuteRequest };
  kernel_info_request: { channel: 'shell' | 'control'; content: Record<string, never> };
  comm_msg: { channel: 'shell'; content: CommMessage };
}

/** Version of the protocol our messages follow; 5.3 is spoken by every kernel alive, and nothing newer is used. */
const PROTOCOL_VERSION = '5.3';

/**
 * Makes a message to send.
 *
 * @param session our session: the same in every message of a connection
 */
export function makeMessage<T extends keyof Requests>(
  type: T,
  channel: Requests[T]['channel'],
  content: Requests[T]['content'],
  session: string,
): KernelMessage {
  return {
    channel,
    header: {
      msg_id: randomUUID(),
      msg_type: type,
      session,
      username: 'noteburst',
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
    },
    parent_header: {},
    metadata: {},
    content: content as unknown as JsonObject,
    buffers: [],
  };
}

/** The message is an iopub `status` with this state ("Kernel status": busy, idle, starting; the server adds more). */
export function isStatus(message: KernelMessage, state: string): boolean {
  return message.header.msg_type === 'status' && message.content['execution_state'] === state;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
