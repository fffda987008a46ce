import { describe, expect, test, vi } from 'vitest';
import {
  CellTooLargeError,
  KernelDiedError,
  KernelTimeoutError,
  KernelUnreachableError,
  MessageTooLargeError,
  SocketClosedError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import type { KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { ConnectionBench } from '../../support/connection-bench.ts';
import { finish } from '../../support/fake-kernel-server.ts';

const bench = new ConnectionBench();
const signal = new AbortController().signal;
const ignore = { onIopub: () => undefined };

describe('ready', () => {
  test('learns the language and acknowledges every message at once, with a pong', async () => {
    await bench.ready();
    expect(bench.connection.languageInfo).toEqual({ name: 'fake', version: '1' });
    await vi.waitFor(() => expect(bench.server.counts.pongs).toBe(2));
  });

  test('asks again until reply and idle have both come', async () => {
    let asked = 0;
    bench.server.onKernelInfo = (kernel, request) => {
      asked++;
      kernel.send('shell', 'kernel_info_reply', { status: 'ok' }, request);
      if (asked === 3) kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
    };
    await bench.ready();
    expect(asked).toBe(3);
  });

  test('ends with a KernelTimeoutError when the kernel says nothing', async () => {
    bench.server.onKernelInfo = () => undefined;
    await expect(bench.connect({ readyTimeoutMs: 60 }).ready(signal)).rejects.toThrow(KernelTimeoutError);
  });

  test('ends with the reason of the signal', async () => {
    bench.server.onKernelInfo = () => undefined;
    await expect(bench.connect().ready(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await expect(bench.connect().ready(AbortSignal.timeout(30))).rejects.toThrow('timeout');
  });

  test('tells a refused handshake and a missing subprotocol apart', async () => {
    bench.server.refuseWith = 403;
    const refused = bench.connect().ready(signal);
    await expect(refused).rejects.toMatchObject({ code: 'kernel_unreachable', statusCode: 403 });
    bench.server.refuseWith = undefined;
    bench.server.subprotocol = undefined;
    const none = bench.connect().ready(signal);
    await expect(none).rejects.toThrow(KernelUnreachableError);
    await expect(none).rejects.toThrow('Server sent no subprotocol');
  });
});

describe('execute', () => {
  test('hands iopub messages on in order and asks for no stdin', async () => {
    bench.server.onExecute = (kernel, request) => {
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'a' }, request);
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'b' }, request);
      finish(kernel, request);
    };
    await bench.ready();
    const seen: KernelMessage[] = [];
    const result = await bench.connection.execute('print()', {
      onIopub: (message) => void seen.push(message),
    });
    expect(result).toMatchObject({ reply: { status: 'ok', execution_count: 1 } });
    expect(seen.map(({ content }) => content['text'] ?? content['execution_state'])).toEqual([
      'a',
      'b',
      'idle',
    ]);
    expect(bench.server.received[0]?.content).toMatchObject({
      code: 'print()',
      allow_stdin: false,
      store_history: true,
    });
  });

  test.each(['reply first', 'idle first'])('is done at reply and idle: %s', async (order) => {
    bench.server.onExecute = (kernel, request) => {
      const reply = () =>
        kernel.send('shell', 'execute_reply', { status: 'ok', execution_count: 4 }, request);
      const idle = () => kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
      if (order === 'reply first') reply();
      else idle();
      setTimeout(order === 'reply first' ? idle : reply, 20);
    };
    await bench.ready();
    const result = await bench.connection.execute('', ignore);
    expect(result).toMatchObject({ reply: { status: 'ok', execution_count: 4 } });
    expect(result.missing).toBeUndefined();
  });

  test('a lost reply is told from the outputs, and the socket renewed before the next cell', async () => {
    bench.server.onExecute = (kernel, request) => {
      kernel.send('iopub', 'execute_input', { code: '', execution_count: 7 }, request);
      kernel.send('iopub', 'error', { ename: 'E', evalue: 'v', traceback: ['t'] }, request);
      kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
    };
    await bench.ready();
    expect(await bench.connection.execute('', ignore)).toEqual({
      reply: { status: 'error', execution_count: 7, ename: 'E', evalue: 'v', traceback: ['t'] },
      missing: 'reply',
    });
    bench.server.onExecute = finish;
    expect(await bench.connection.execute('', ignore)).not.toHaveProperty('missing');
    expect(bench.server.counts.opened).toBe(2);
  });

  test.each(['before', 'after'])(
    'a reply is not waited for when the request was stopped %s its idle',
    async (when) => {
      const stop = new AbortController();
      bench.server.onExecute = (kernel, request) => {
        if (when === 'before') stop.abort();
        kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
        if (when === 'after') setTimeout(() => stop.abort(), 20);
      };
      await bench.ready({ replyMs: 60_000 });
      const result = await bench.connection.execute('', { ...ignore, stop: stop.signal });
      expect(result).toMatchObject({ missing: 'reply' });
    },
  );

  test('a lost idle is reported, after a grace that each output extends', async () => {
    bench.server.onExecute = (kernel, request) => {
      kernel.send('shell', 'execute_reply', { status: 'ok' }, request);
      for (const ms of [30, 60, 90]) {
        setTimeout(() => kernel.send('iopub', 'stream', { name: 'stdout', text: 'x' }, request), ms);
      }
    };
    await bench.ready();
    const onIopub = vi.fn<(message: KernelMessage) => void>();
    expect(await bench.connection.execute('', { onIopub })).toMatchObject({ missing: 'idle' });
    expect(onIopub).toHaveBeenCalledTimes(3);
  });

  test('outputs that come after the end still reach their cell', async () => {
    bench.server.onExecute = (kernel, request) => {
      finish(kernel, request);
      if (request.content['code'] !== 'first') return;
      setTimeout(() => kernel.send('iopub', 'stream', { name: 'stdout', text: 'late' }, request), 20);
    };
    await bench.ready();
    const first = vi.fn<(message: KernelMessage) => void>();
    const second = vi.fn<(message: KernelMessage) => void>();
    await bench.connection.execute('first', { onIopub: first });
    await bench.connection.execute('second', { onIopub: second });
    await vi.waitFor(() => expect(first.mock.lastCall?.[0].content).toMatchObject({ text: 'late' }));
    expect(second).toHaveBeenCalledTimes(1);
  });

  test('comm messages without a known parent go to the latest cell', async () => {
    bench.server.onExecute = (kernel, request) => {
      kernel.send('iopub', 'comm_msg', { comm_id: 'c', data: {} });
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'nobody’s' });
      finish(kernel, request);
    };
    await bench.ready();
    const seen: string[] = [];
    await bench.connection.execute('', { onIopub: ({ header }) => void seen.push(header.msg_type) });
    expect(seen).toEqual(['comm_msg', 'status']);
  });

  test('a cell above 10 MiB is refused before it is sent, and the connection lives on', async () => {
    await bench.ready();
    const huge = bench.connection.execute('#'.repeat(11 * 2 ** 20), ignore);
    await expect(huge).rejects.toThrow(CellTooLargeError);
    await expect(huge).rejects.toThrow('11.0 MiB, the limit is 10.0 MiB');
    expect(await bench.connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('a malformed frame is passed over', async () => {
    bench.server.onExecute = (kernel, request) => {
      kernel.socket.send(Buffer.from('nonsense'));
      finish(kernel, request);
    };
    await bench.ready();
    expect(await bench.connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('the signal gives the waiting up; a fault in a handler is the caller’s', async () => {
    bench.server.onExecute = () => undefined;
    await bench.ready();
    const reason = new Error('enough');
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 20);
    await expect(bench.connection.execute('', { ...ignore, signal: abort.signal })).rejects.toBe(reason);
    bench.server.onExecute = finish;
    const fault = () => {
      throw reason;
    };
    await expect(bench.connection.execute('', { onIopub: fault })).rejects.toBe(reason);
  });
});

describe('sendComm', () => {
  const state = (chars: number) => ({ comm_id: 'c', data: { state: { outputs: '#'.repeat(chars) } } });

  test('sends what the server takes', async () => {
    await bench.ready();
    expect(bench.connection.sendComm(state(10))).toBe(true);
    await vi.waitFor(() => expect(bench.server.received).toHaveLength(1));
  });

  test('keeps back what would close the socket', async () => {
    await bench.ready();
    expect(bench.connection.sendComm(state(12 * 2 ** 20))).toBe(false);
    expect(await bench.connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
    expect(bench.server.received.map(({ header }) => header.msg_type)).toEqual(['execute_request']);
  });
});

describe('the end of a kernel or socket', () => {
  test('a kernel that restarts in silence is noticed by its new session on the control channel', async () => {
    bench.server.onExecute = (kernel) => kernel.restart();
    await bench.ready();
    const execution = bench.connection.execute('os._exit(1)', ignore);
    await expect(execution).rejects.toThrow(KernelDiedError);
    await expect(bench.connection.execute('', ignore)).rejects.toThrow(KernelDiedError);
  });

  test.each(['restarting', 'dead'])('the server’s status %s is enough', async (state) => {
    bench.server.onExecute = (kernel) => kernel.send('iopub', 'status', { execution_state: state });
    await bench.ready({ probeIntervalMs: 60_000 });
    await expect(bench.connection.execute('', ignore)).rejects.toThrow(KernelDiedError);
  });

  test('a long cell of a kernel that lives is left alone', async () => {
    bench.server.onExecute = (kernel, request) => void setTimeout(() => finish(kernel, request), 150);
    await bench.ready();
    expect(await bench.connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('a message above the limit closes the socket, saying so', async () => {
    bench.server.onExecute = (kernel, request) =>
      kernel.send('iopub', 'stream', { name: 'stdout', text: 'x'.repeat(2 ** 21) }, request);
    await bench.ready();
    const execution = bench.connection.execute('', ignore);
    await expect(execution).rejects.toThrow(MessageTooLargeError);
    await expect(execution).rejects.toThrow('a message above 1.0 MiB');
    expect(bench.server.counts.opened).toBe(1);
  });

  test('close ends what is pending', async () => {
    bench.server.onExecute = () => undefined;
    await bench.ready();
    const execution = bench.connection.execute('', ignore);
    const rejected = execution.catch((error: unknown) => error);
    await bench.connection.close();
    expect(await rejected).toBeInstanceOf(SocketClosedError);
  });
});
