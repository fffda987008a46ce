import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  CellTooLargeError,
  KernelDiedError,
  KernelTimeoutError,
  KernelUnreachableError,
  MessageTooLargeError,
  OutputLostError,
  SocketClosedError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import type { ConnectionTimings } from '../../../workers/executor/kernel/connection-timings.ts';
import { KernelConnection } from '../../../workers/executor/kernel/kernel-connection.ts';
import type { ProcessProbe } from '../../../workers/executor/kernel/death-watch.ts';
import type { TransportHandlers } from '../../../workers/executor/kernel/kernel-transport.ts';
import { openKernelSocket } from '../../../workers/executor/kernel/kernel-socket.ts';
import type { KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import {
  finish,
  startFakeKernelServer,
  type FakeKernel,
  type FakeKernelServer,
} from '../../support/fake-kernel-server.ts';

const QUICK = { reconnectTimeoutMs: 300, reconnectPauseMs: 10, verifyTimeoutMs: 100, settleMs: 20 };
const signal = new AbortController().signal;
let server: FakeKernelServer;
let connection: KernelConnection;

function connect(timings: Partial<ConnectionTimings> = {}, maxMessageBytes = 2 ** 20): KernelConnection {
  connection = new KernelConnection(
    (clientSession) => async (handlers, signal) => {
      const channels = await server.host.channels('k', clientSession);
      return openKernelSocket({ ...channels, maxMessageBytes, closeTimeoutMs: 200 }, handlers, signal);
    },
    {
      replyMs: 50,
      idleMs: 50,
      probeIntervalMs: 20,
      readyIntervalMs: 20,
      readyTimeoutMs: 1_000,
      ...QUICK,
      ...timings,
    },
  );
  return connection;
}

async function ready(timings: Partial<ConnectionTimings> = {}): Promise<KernelConnection> {
  await connect(timings).ready(signal);
  return connection;
}

const ignore = { onIopub: () => undefined };

beforeEach(async () => {
  server = await startFakeKernelServer();
});
afterEach(async () => {
  await connection.close();
  await server[Symbol.asyncDispose]();
});

describe('ready', () => {
  test('learns the language and acknowledges every message at once, with a pong', async () => {
    await ready();
    expect(connection.languageInfo).toEqual({ name: 'fake', version: '1' });
    await vi.waitFor(() => expect(server.counts.pongs).toBe(2));
  });

  test('asks again until reply and idle have both come', async () => {
    let asked = 0;
    server.onKernelInfo = (kernel, request) => {
      asked++;
      kernel.send('shell', 'kernel_info_reply', { status: 'ok' }, request);
      if (asked === 3) kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
    };
    await ready();
    expect(asked).toBe(3);
  });

  test('ends with a KernelTimeoutError when the kernel says nothing', async () => {
    server.onKernelInfo = () => undefined;
    await expect(connect({ readyTimeoutMs: 60 }).ready(signal)).rejects.toThrow(KernelTimeoutError);
  });

  test('ends with the reason of the signal', async () => {
    server.onKernelInfo = () => undefined;
    await expect(connect().ready(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await expect(connect().ready(AbortSignal.timeout(30))).rejects.toThrow('timeout');
  });

  test('tells a refused handshake and a missing subprotocol apart', async () => {
    server.refuseWith = 403;
    const refused = connect().ready(signal);
    await expect(refused).rejects.toMatchObject({ code: 'kernel_unreachable', statusCode: 403 });
    server.refuseWith = undefined;
    server.subprotocol = undefined;
    const none = connect().ready(signal);
    await expect(none).rejects.toThrow(KernelUnreachableError);
    await expect(none).rejects.toThrow('Server sent no subprotocol');
  });
});

describe('execute', () => {
  test('hands iopub messages on in order and asks for no stdin', async () => {
    server.onExecute = (kernel, request) => {
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'a' }, request);
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'b' }, request);
      finish(kernel, request);
    };
    await ready();
    const seen: KernelMessage[] = [];
    const result = await connection.execute('print()', { onIopub: (message) => void seen.push(message) });
    expect(result).toMatchObject({ reply: { status: 'ok', execution_count: 1 } });
    expect(seen.map(({ content }) => content['text'] ?? content['execution_state'])).toEqual([
      'a',
      'b',
      'idle',
    ]);
    expect(server.received[0]?.content).toMatchObject({
      code: 'print()',
      allow_stdin: false,
      store_history: true,
    });
  });

  test.each(['reply first', 'idle first'])('is done at reply and idle: %s', async (order) => {
    server.onExecute = (kernel, request) => {
      const reply = () =>
        kernel.send('shell', 'execute_reply', { status: 'ok', execution_count: 4 }, request);
      const idle = () => kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
      if (order === 'reply first') reply();
      else idle();
      setTimeout(order === 'reply first' ? idle : reply, 20);
    };
    await ready();
    const result = await connection.execute('', ignore);
    expect(result).toMatchObject({ reply: { status: 'ok', execution_count: 4 } });
    expect(result.missing).toBeUndefined();
  });

  test('a lost reply is told from the outputs, and the socket renewed before the next cell', async () => {
    server.onExecute = (kernel, request) => {
      kernel.send('iopub', 'execute_input', { code: '', execution_count: 7 }, request);
      kernel.send('iopub', 'error', { ename: 'E', evalue: 'v', traceback: ['t'] }, request);
      kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
    };
    await ready();
    expect(await connection.execute('', ignore)).toEqual({
      reply: { status: 'error', execution_count: 7, ename: 'E', evalue: 'v', traceback: ['t'] },
      missing: 'reply',
    });
    server.onExecute = finish;
    expect(await connection.execute('', ignore)).not.toHaveProperty('missing');
    expect(server.counts.opened).toBe(2);
  });

  test('a lost idle is reported, after a grace that each output extends', async () => {
    server.onExecute = (kernel, request) => {
      kernel.send('shell', 'execute_reply', { status: 'ok' }, request);
      for (const ms of [30, 60, 90]) {
        setTimeout(() => kernel.send('iopub', 'stream', { name: 'stdout', text: 'x' }, request), ms);
      }
    };
    await ready();
    const onIopub = vi.fn<(message: KernelMessage) => void>();
    expect(await connection.execute('', { onIopub })).toMatchObject({ missing: 'idle' });
    expect(onIopub).toHaveBeenCalledTimes(3);
  });

  test('outputs that come after the end still reach their cell', async () => {
    server.onExecute = (kernel, request) => {
      finish(kernel, request);
      if (request.content['code'] !== 'first') return;
      setTimeout(() => kernel.send('iopub', 'stream', { name: 'stdout', text: 'late' }, request), 20);
    };
    await ready();
    const first = vi.fn<(message: KernelMessage) => void>();
    const second = vi.fn<(message: KernelMessage) => void>();
    await connection.execute('first', { onIopub: first });
    await connection.execute('second', { onIopub: second });
    await vi.waitFor(() => expect(first.mock.lastCall?.[0].content).toMatchObject({ text: 'late' }));
    expect(second).toHaveBeenCalledTimes(1);
  });

  test('comm messages without a known parent go to the latest cell', async () => {
    server.onExecute = (kernel, request) => {
      kernel.send('iopub', 'comm_msg', { comm_id: 'c', data: {} });
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'nobody’s' });
      finish(kernel, request);
    };
    await ready();
    const seen: string[] = [];
    await connection.execute('', { onIopub: ({ header }) => void seen.push(header.msg_type) });
    expect(seen).toEqual(['comm_msg', 'status']);
  });

  test('a cell above 10 MiB is refused before it is sent, and the connection lives on', async () => {
    await ready();
    const huge = connection.execute('#'.repeat(11 * 2 ** 20), ignore);
    await expect(huge).rejects.toThrow(CellTooLargeError);
    await expect(huge).rejects.toThrow('11.0 MiB, the limit is 10.0 MiB');
    expect(await connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('a malformed frame is passed over', async () => {
    server.onExecute = (kernel, request) => {
      kernel.socket.send(Buffer.from('nonsense'));
      finish(kernel, request);
    };
    await ready();
    expect(await connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('the signal gives the waiting up; a fault in a handler is the caller’s', async () => {
    server.onExecute = () => undefined;
    await ready();
    const reason = new Error('enough');
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 20);
    await expect(connection.execute('', { ...ignore, signal: abort.signal })).rejects.toBe(reason);
    server.onExecute = finish;
    const fault = () => {
      throw reason;
    };
    await expect(connection.execute('', { onIopub: fault })).rejects.toBe(reason);
  });
});

describe('sendComm', () => {
  const state = (chars: number) => ({ comm_id: 'c', data: { state: { outputs: '#'.repeat(chars) } } });

  test('sends what the server takes', async () => {
    await ready();
    expect(connection.sendComm(state(10))).toBe(true);
    await vi.waitFor(() => expect(server.received).toHaveLength(1));
  });

  test('keeps back what would close the socket', async () => {
    await ready();
    expect(connection.sendComm(state(12 * 2 ** 20))).toBe(false);
    expect(await connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
    expect(server.received.map(({ header }) => header.msg_type)).toEqual(['execute_request']);
  });
});

describe('the end of a kernel or socket', () => {
  test('a kernel that restarts in silence is noticed by its new session on the control channel', async () => {
    server.onExecute = (kernel) => kernel.restart();
    await ready();
    const execution = connection.execute('os._exit(1)', ignore);
    await expect(execution).rejects.toThrow(KernelDiedError);
    await expect(connection.execute('', ignore)).rejects.toThrow(KernelDiedError);
  });

  test.each(['restarting', 'dead'])('the server’s status %s is enough', async (state) => {
    server.onExecute = (kernel) => kernel.send('iopub', 'status', { execution_state: state });
    await ready({ probeIntervalMs: 60_000 });
    await expect(connection.execute('', ignore)).rejects.toThrow(KernelDiedError);
  });

  test('a long cell of a kernel that lives is left alone', async () => {
    server.onExecute = (kernel, request) => void setTimeout(() => finish(kernel, request), 150);
    await ready();
    expect(await connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('a message above the limit closes the socket, saying so', async () => {
    server.onExecute = (kernel, request) =>
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'x'.repeat(2 ** 21) }, request);
    await ready();
    const execution = connection.execute('', ignore);
    await expect(execution).rejects.toThrow(MessageTooLargeError);
    await expect(execution).rejects.toThrow('a message above 1.0 MiB');
    expect(server.counts.opened).toBe(1);
  });

  test('close ends what is pending', async () => {
    server.onExecute = () => undefined;
    await ready();
    const execution = connection.execute('', ignore);
    const rejected = execution.catch((error: unknown) => error);
    await connection.close();
    expect(await rejected).toBeInstanceOf(SocketClosedError);
  });
});

/** The kernel prints one letter, the socket breaks, and the rest happens while it is away. */
function cutMidCell(rest: (kernel: FakeKernel, request: KernelMessage, free: () => void) => void): void {
  const answer = server.onKernelInfo;
  const waiting: (() => void)[] = [];
  const free = () => waiting.forEach((answer) => answer());
  server.onExecute = (kernel, request) => {
    // The shell is busy until the cell ends.
    server.onKernelInfo = (kernel, request) => {
      if (request.channel === 'control') answer(kernel, request);
      else waiting.push(() => answer(kernel, request));
    };
    kernel.send('iopub', 'status', { execution_state: 'busy' }, request);
    kernel.send('iopub', 'stream', { name: 'stdout', text: 'a' }, request);
    setTimeout(() => {
      kernel.socket.once('close', () => rest(kernel, request, free));
      kernel.socket.terminate();
    }, 20);
  };
}
const print = (kernel: FakeKernel, request: KernelMessage, text: string) =>
  kernel.send('iopub', 'stream', { name: 'stdout', text }, request);

const openFake = (clientSession: string) => async (handlers: TransportHandlers, signal: AbortSignal) =>
  openKernelSocket(await server.host.channels('k', clientSession), handlers, signal);

const silent = () => {
  server.onExecute = () => (server.onKernelInfo = () => undefined);
};
const withProbe = (probe: ProcessProbe) => {
  return new KernelConnection(openFake, { probeIntervalMs: 20, silenceMs: 40, readyIntervalMs: 20 }, probe);
};

describe('a socket that is cut', () => {
  const printed: string[] = [];
  const collect = {
    onIopub: ({ content }: KernelMessage) =>
      void ('text' in content && printed.push(content['text'] as string)),
  };
  beforeEach(() => void printed.splice(0));

  test('loses nothing where the server keeps messages', async () => {
    cutMidCell((kernel, request, free) => {
      print(kernel, request, 'b');
      setTimeout(() => (print(kernel, request, 'c'), (finish(kernel, request), free())), 100);
    });
    await ready();
    const result = await connection.execute('', collect);
    expect(result).toMatchObject({ reply: { status: 'ok' } });
    expect(result).not.toHaveProperty('missing');
    expect(printed).toEqual(['a', 'b', 'c']);
  });

  test('loses nothing anywhere when the kernel was quiet, which its numbers prove', async () => {
    server.keepsMessages = false;
    cutMidCell((kernel, request, free) => setTimeout(() => (finish(kernel, request), free()), 150));
    await ready();
    expect(await connection.execute('', collect)).not.toHaveProperty('missing');
  });

  test.each([
    ['throw', { code: 'output_lost' }],
    ['report', { reply: { status: 'ok' }, missing: 'output' }],
  ] as const)('tells of output that was lost: %s', async (lostOutput, expected) => {
    server.keepsMessages = false;
    cutMidCell((kernel, request, free) => {
      print(kernel, request, 'lost');
      setTimeout(() => (finish(kernel, request), free()), 150);
    });
    await ready();
    const outcome = await connection.execute('', { ...collect, lostOutput }).catch((error: unknown) => error);
    expect(outcome).toMatchObject(expected);
  });

  test('whose cell ended meanwhile, unheard, is no success', async () => {
    server.keepsMessages = false;
    cutMidCell((kernel, request, free) => {
      finish(kernel, request);
      setTimeout(free, 150);
    });
    await ready();
    await expect(connection.execute('', { ...collect, lostOutput: 'report' })).rejects.toThrow(
      OutputLostError,
    );
  });

  test('with a request that never arrived, sends it again', async () => {
    server.onExecute = (kernel) => {
      server.onExecute = finish;
      kernel.socket.terminate();
    };
    await ready();
    expect(await connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
    expect(server.received).toHaveLength(2);
  });

  test('comes back to another process: the kernel died', async () => {
    cutMidCell((kernel) => kernel.restart());
    await ready();
    await expect(connection.execute('', ignore)).rejects.toThrow(KernelDiedError);
  });

  test('and cannot be opened again ends everything in bounded time', async () => {
    cutMidCell(() => (server.refuseWith = 503));
    await ready();
    await expect(connection.execute('', ignore)).rejects.toMatchObject({
      code: 'socket_closed',
      closeCode: 1006,
    });
    await expect(connection.ready(signal)).rejects.toThrow(SocketClosedError);
  });

  test('of a kernel the lab no longer has is not opened again and again', async () => {
    cutMidCell(() => (server.refuseWith = 404));
    await ready({ reconnectTimeoutMs: 60_000 });
    await expect(connection.execute('', ignore)).rejects.toThrow(SocketClosedError);
  });

  test('of a kernel that has only been set up is not opened again', async () => {
    await ready();
    await connection.execute('', { ...ignore, silent: true });
    for (const socket of server.sockets) socket.terminate();
    await vi.waitFor(() => expect(connection.ready(signal, 100)).rejects.toThrow(SocketClosedError));
    expect(server.counts.opened).toBe(1);
  });

  test('between two cells costs nothing', async () => {
    await ready();
    await connection.execute('', ignore);
    for (const socket of server.sockets) socket.terminate();
    await vi.waitFor(() => expect(server.counts.opened).toBe(2));
    expect(await connection.execute('', ignore)).not.toHaveProperty('missing');
  });
});

describe('a silent kernel', () => {
  test('whose process is gone has died', async () => {
    const pids: number[] = [];
    connection = withProbe((pid) => (pids.push(pid), Promise.resolve(false)));
    await connection.ready(signal);
    silent();
    await expect(connection.execute('', ignore)).rejects.toThrow('The kernel died: its process ended');
    expect(pids).toEqual([4711]);
  });

  test.each([true, undefined])('is left alone while its process runs, or nobody knows: %s', async (known) => {
    const probe = vi.fn<ProcessProbe>(() => Promise.resolve(known));
    connection = withProbe(probe);
    await connection.ready(signal);
    silent();
    const execution = connection.execute('', { ...ignore, signal: AbortSignal.timeout(250) });
    await expect(execution).rejects.toThrow('timeout');
    expect(probe.mock.calls.length).toBeGreaterThan(1);
  });
});
