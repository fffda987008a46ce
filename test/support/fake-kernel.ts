import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { JsonObject, KernelMessage } from '../../workers/executor/kernel/messages.ts';
import { decodeMessage, encodeMessage } from '../../workers/executor/kernel/websocket-codec.ts';

/** As long as jupyter_server takes to notice that a kernel's process is gone. */
const NOTICE_MS = 200;

type Message = Pick<KernelMessage, 'channel' | 'content'> & { type: string; buffers?: Uint8Array[] };

/** A kernel's process with the server's end of its websocket: numbers what it sends, and keeps it while nobody listens. */
export class FakeKernelProcess {
  /** Keeps what a kernel sends while its client is away, as jupyter_server does; else it is lost. */
  keepsMessages = true;
  #session = randomUUID();
  #sent = 0;
  #socket: WebSocket | undefined;
  #kept: Uint8Array[] = [];

  /** The newest socket alone hears the kernel. @param onRequest told of each message that is read from it */
  attach(socket: WebSocket, onRequest: (request: KernelMessage) => void): void {
    this.#socket = socket;
    for (const frame of this.#kept.splice(0)) socket.send(frame);
    socket.on('error', () => undefined);
    socket.on('message', (data) => onRequest(decodeMessage(data as Buffer)));
  }

  /** Sends a message as the process does; `parent` is the request it belongs to. */
  send({ channel, type, content, buffers = [] }: Message, parent?: KernelMessage): void {
    this.#deliver(channel, type, content, parent, buffers, this.#session, this.#sent++);
  }

  /** What the server itself says of the kernel. */
  sendStatusOfServer(state: string): void {
    this.#deliver('iopub', 'status', { execution_state: state }, undefined, [], 'server', 0);
  }

  /** A new process in the old one's place, under the same id. */
  restart(): void {
    this.#session = randomUUID();
    this.#sent = 0;
  }

  close(): void {
    this.#socket?.terminate();
  }

  #deliver(
    channel: string,
    type: string,
    content: JsonObject,
    parent: KernelMessage | undefined,
    buffers: Uint8Array[],
    session: string,
    number: number,
  ): void {
    const frame = encodeMessage({
      channel,
      header: {
        msg_id: `${session}_4711_${number}`,
        msg_type: type,
        session,
        username: 'fake',
        date: new Date().toISOString(),
        version: '5.3',
      },
      parent_header: parent?.header ?? {},
      metadata: {},
      content,
      buffers,
    });
    if (this.#socket && this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame);
    else if (this.keepsMessages) this.#kept.push(frame);
  }
}

/**
 * A kernel that runs a little Python: sleeps, prints and errors of literals, and its own death. Anything else is an
 * error, so that no test believes that something was run.
 */
export class FakePythonKernel {
  readonly #process = new FakeKernelProcess();
  readonly #onExecute: () => void;
  #shell: Promise<void> = Promise.resolve();
  #interrupt = new AbortController();
  #count = 0;
  #life = 0;

  /** @param onExecute told before each execute_request takes effect */
  constructor(onExecute: () => void) {
    this.#onExecute = onExecute;
  }

  attach(socket: WebSocket): void {
    this.#process.attach(socket, (request) => this.#take(request));
  }

  interrupt(): void {
    this.#interrupt.abort();
  }

  /** The process ends by itself; the server restarts it a little later. */
  die(): void {
    this.#life += 1;
    this.#interrupt.abort();
    this.#shell = sleep(NOTICE_MS).then(() => {
      this.#process.sendStatusOfServer('restarting');
      this.#process.restart();
      this.#count = 0;
    });
  }

  /** Deleted, or gone with its lab. */
  close(): void {
    this.#life += 1;
    this.#interrupt.abort();
    this.#process.close();
  }

  #take(request: KernelMessage): void {
    const { msg_type: type } = request.header;
    const handle = type === 'kernel_info_request' ? () => this.#info(request) : () => this.#execute(request);
    if (type !== 'kernel_info_request' && type !== 'execute_request') return;
    if (request.channel === 'control') return this.#info(request);
    const life = this.#life;
    // What waited for a process that is gone is never answered.
    this.#shell = this.#shell.then(() => (life === this.#life ? handle() : undefined));
  }

  #info(request: KernelMessage): void {
    const content = { status: 'ok', language_info: { name: 'fake', version: '1' } };
    this.#process.send({ channel: request.channel, type: 'kernel_info_reply', content }, request);
    this.#status('idle', request);
  }

  async #execute(request: KernelMessage): Promise<void> {
    this.#onExecute();
    const life = this.#life;
    this.#interrupt = new AbortController();
    const code = String(request.content['code']);
    const execution_count = ++this.#count;
    this.#status('busy', request);
    this.#process.send(
      { channel: 'iopub', type: 'execute_input', content: { code, execution_count } },
      request,
    );
    const error = await this.#run(code, request);
    if (life !== this.#life) return;
    if (error) this.#process.send({ channel: 'iopub', type: 'error', content: error }, request);
    const content = { status: error ? 'error' : 'ok', execution_count, ...error };
    this.#process.send({ channel: 'shell', type: 'execute_reply', content }, request);
    this.#status('idle', request);
  }

  /** @returns the error that ends it */
  async #run(code: string, request: KernelMessage): Promise<JsonObject | undefined> {
    for (const statement of code.split(/[;\n]/).map((line) => line.trim())) {
      const [, seconds] = /^time\.sleep\(([\d.]+)\)$/.exec(statement) ?? [];
      const [, text] = /^print\('([^']*)'(?:, flush=True)?\)$/.exec(statement) ?? [];
      const [, ename, evalue] = /^raise (\w+)\('([^']*)'\)$/.exec(statement) ?? [];
      if (statement === 'os._exit(1)') this.die();
      else if (ename) return errorContent(ename, evalue ?? '');
      else if (text !== undefined) this.#print(`${text}\n`, request);
      else if (seconds) {
        try {
          await sleep(Number(seconds) * 1_000, undefined, { signal: this.#interrupt.signal });
        } catch {
          return errorContent('KeyboardInterrupt', '');
        }
      } else if (statement !== '' && !/^import \w+$/.test(statement)) {
        return errorContent('FakeKernelError', `This kernel is a fake and cannot run: ${statement}`);
      }
    }
    return undefined;
  }

  #print(text: string, request: KernelMessage): void {
    this.#process.send({ channel: 'iopub', type: 'stream', content: { name: 'stdout', text } }, request);
  }

  #status(execution_state: string, request: KernelMessage): void {
    this.#process.send({ channel: 'iopub', type: 'status', content: { execution_state } }, request);
  }
}

const errorContent = (ename: string, evalue: string): JsonObject => ({
  ename,
  evalue,
  traceback: [`${ename}: ${evalue}`],
});
