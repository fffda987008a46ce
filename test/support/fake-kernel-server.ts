import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { WebSocketServer, type WebSocket } from 'ws';
import type { KernelHost } from '../../workers/executor/kernel/kernel-host.ts';
import type { JsonObject, KernelMessage } from '../../workers/executor/kernel/messages.ts';
import { SUBPROTOCOL } from '../../workers/executor/kernel/websocket-codec.ts';
import { FakeKernelProcess } from './fake-kernel.ts';

/** A kernel's side of one socket: what a script uses to answer a request. */
export interface FakeKernel {
  /** Sends a message as the kernel process does; `parent` is the request it belongs to. */
  send(
    channel: string,
    type: string,
    content: JsonObject,
    parent?: KernelMessage,
    buffers?: Uint8Array[],
  ): void;
  /** A new process in the old one's place, under the same id. */
  restart(): void;
  readonly socket: WebSocket;
}

type Script = (kernel: FakeKernel, request: KernelMessage) => void;

export interface FakeKernelServer extends AsyncDisposable {
  readonly host: KernelHost;
  /** Answers execute_requests; by default with status ok and idle. */
  onExecute: Script;
  /** Answers kernel_info_requests of both channels. */
  onKernelInfo: Script;
  /** Sessions started and not deleted, by id, with their paths. */
  readonly sessions: Map<string, string>;
  /** What clients sent, besides kernel_info. */
  readonly received: KernelMessage[];
  readonly sockets: Set<WebSocket>;
  readonly counts: { pongs: number; opened: number; specs: number };
  /** Offered in the handshake; undefined picks none. */
  subprotocol: string | undefined;
  /** Keeps what a kernel sends while its client is away, as jupyter_server does; else it is lost. */
  keepsMessages: boolean;
  /** HTTP status to refuse websockets with. */
  refuseWith: number | undefined;
}

/** The usual end of a request: reply, then idle. */
export const finish: Script = (kernel, request) => {
  kernel.send('shell', 'execute_reply', { status: 'ok', execution_count: 1 }, request);
  kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
};

const kernelInfo: Script = (kernel, request) => {
  const content = { status: 'ok', language_info: { name: 'fake', version: '1' } };
  kernel.send(request.channel, 'kernel_info_reply', content, request);
  kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
};

/** A lab of scripted kernels: real HTTP, real websockets, the real subprotocol; only the kernels are pretence. */
export async function startFakeKernelServer(): Promise<FakeKernelServer> {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => server.subprotocol ?? false });
  http.on('upgrade', (request, socket, head) => {
    if (server.refuseWith === undefined) {
      sockets.handleUpgrade(request, socket, head, (opened) =>
        sockets.emit('connection', opened, request.url),
      );
    } else {
      socket.end(`HTTP/1.1 ${server.refuseWith} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    }
  });
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  const origin = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const server: FakeKernelServer = {
    host: {
      kernelSpecs: () => {
        server.counts.specs++;
        return Promise.resolve({ default: 'fake', names: ['fake', 'other'] });
      },
      startSession: (_kernelName, path) => {
        const sessionId = randomUUID();
        server.sessions.set(sessionId, path);
        return Promise.resolve({ sessionId, kernelId: sessionId });
      },
      renameSession: (sessionId, path) => Promise.resolve(void server.sessions.set(sessionId, path)),
      deleteSession: (sessionId) => Promise.resolve(void server.sessions.delete(sessionId)),
      interruptKernel: () => Promise.resolve(),
      channels: (kernelId) =>
        Promise.resolve({ url: `${origin}/api/kernels/${kernelId}/channels`, headers: {} }),
    },
    onExecute: finish,
    onKernelInfo: kernelInfo,
    sessions: new Map(),
    received: [],
    sockets: new Set(),
    counts: { pongs: 0, opened: 0, specs: 0 },
    subprotocol: SUBPROTOCOL,
    refuseWith: undefined,
    keepsMessages: true,
    [Symbol.asyncDispose]: async () => {
      for (const socket of server.sockets) socket.terminate();
      await new Promise((done) => http.close(done));
    },
  };
  const processes = new Map<string, FakeKernelProcess>();
  sockets.on('connection', (socket: WebSocket, kernelId: string) => {
    const process = processes.get(kernelId) ?? new FakeKernelProcess();
    processes.set(kernelId, process);
    serve(server, socket, process);
  });
  return server;
}

function serve(server: FakeKernelServer, socket: WebSocket, process: FakeKernelProcess): void {
  server.sockets.add(socket);
  server.counts.opened++;
  const kernel: FakeKernel = {
    socket,
    restart: () => process.restart(),
    send: (channel, type, content, parent, buffers = []) => {
      process.keepsMessages = server.keepsMessages;
      process.send({ channel, type, content, buffers }, parent);
    },
  };
  socket.on('close', () => server.sockets.delete(socket));
  socket.on('pong', () => server.counts.pongs++);
  process.attach(socket, (request) => {
    if (request.header.msg_type === 'kernel_info_request') server.onKernelInfo(kernel, request);
    else {
      server.received.push(request);
      if (request.header.msg_type === 'execute_request') server.onExecute(kernel, request);
    }
  });
}
