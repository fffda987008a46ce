import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  KernelDiedError,
  OutputLostError,
  SocketClosedError,
} from '../../../workers/executor/kernel/kernel-error.ts';
import { KernelConnection } from '../../../workers/executor/kernel/kernel-connection.ts';
import type { ProcessProbe } from '../../../workers/executor/kernel/death-watch.ts';
import type { TransportHandlers } from '../../../workers/executor/kernel/kernel-transport.ts';
import { openKernelSocket } from '../../../workers/executor/kernel/kernel-socket.ts';
import type { KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { ConnectionBench } from '../../support/connection-bench.ts';
import { finish, type FakeKernel } from '../../support/fake-kernel-server.ts';

const bench = new ConnectionBench();
const signal = new AbortController().signal;
const ignore = { onIopub: () => undefined };

/** The kernel prints one letter, the socket breaks, and the rest happens while it is away. */
function cutMidCell(rest: (kernel: FakeKernel, request: KernelMessage, free: () => void) => void): void {
  const answer = bench.server.onKernelInfo;
  const waiting: (() => void)[] = [];
  const free = () => waiting.forEach((answer) => answer());
  bench.server.onExecute = (kernel, request) => {
    // The shell is busy until the cell ends.
    bench.server.onKernelInfo = (kernel, request) => {
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
  openKernelSocket(await bench.server.host.channels('k', clientSession), handlers, signal);

const silent = () => {
  bench.server.onExecute = () => (bench.server.onKernelInfo = () => undefined);
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
    await bench.ready();
    const result = await bench.connection.execute('', collect);
    expect(result).toMatchObject({ reply: { status: 'ok' } });
    expect(result).not.toHaveProperty('missing');
    expect(printed).toEqual(['a', 'b', 'c']);
  });

  test('loses nothing anywhere when the kernel was quiet, which its numbers prove', async () => {
    bench.server.keepsMessages = false;
    cutMidCell((kernel, request, free) => setTimeout(() => (finish(kernel, request), free()), 150));
    await bench.ready();
    expect(await bench.connection.execute('', collect)).not.toHaveProperty('missing');
  });

  test.each([
    ['throw', { code: 'output_lost' }],
    ['report', { reply: { status: 'ok' }, missing: 'output' }],
  ] as const)('tells of output that was lost: %s', async (lostOutput, expected) => {
    bench.server.keepsMessages = false;
    cutMidCell((kernel, request, free) => {
      print(kernel, request, 'lost');
      setTimeout(() => (finish(kernel, request), free()), 150);
    });
    await bench.ready();
    const outcome = await bench.connection
      .execute('', { ...collect, lostOutput })
      .catch((error: unknown) => error);
    expect(outcome).toMatchObject(expected);
  });

  test('whose cell ended meanwhile, unheard, is no success', async () => {
    bench.server.keepsMessages = false;
    cutMidCell((kernel, request, free) => {
      finish(kernel, request);
      setTimeout(free, 150);
    });
    await bench.ready();
    await expect(bench.connection.execute('', { ...collect, lostOutput: 'report' })).rejects.toThrow(
      OutputLostError,
    );
  });

  test('with a request that never arrived, sends it again', async () => {
    bench.server.onExecute = (kernel) => {
      bench.server.onExecute = finish;
      kernel.socket.terminate();
    };
    await bench.ready();
    expect(await bench.connection.execute('', ignore)).toMatchObject({ reply: { status: 'ok' } });
    expect(bench.server.received).toHaveLength(2);
  });

  test('comes back to another process: the kernel died', async () => {
    cutMidCell((kernel) => kernel.restart());
    await bench.ready();
    await expect(bench.connection.execute('', ignore)).rejects.toThrow(KernelDiedError);
  });

  test('and cannot be opened again ends everything in bounded time', async () => {
    cutMidCell(() => (bench.server.refuseWith = 503));
    await bench.ready();
    await expect(bench.connection.execute('', ignore)).rejects.toMatchObject({
      code: 'socket_closed',
      closeCode: 1006,
    });
    await expect(bench.connection.ready(signal)).rejects.toThrow(SocketClosedError);
  });

  test('of a kernel the lab no longer has is not opened again and again', async () => {
    cutMidCell(() => (bench.server.refuseWith = 404));
    await bench.ready({ reconnectTimeoutMs: 60_000 });
    await expect(bench.connection.execute('', ignore)).rejects.toThrow(SocketClosedError);
  });

  test('of a kernel that has only been set up is not opened again', async () => {
    await bench.ready();
    await bench.connection.execute('', { ...ignore, silent: true });
    for (const socket of bench.server.sockets) socket.terminate();
    await vi.waitFor(() => expect(bench.connection.ready(signal, 100)).rejects.toThrow(SocketClosedError));
    expect(bench.server.counts.opened).toBe(1);
  });

  test('between two cells costs nothing', async () => {
    await bench.ready();
    await bench.connection.execute('', ignore);
    for (const socket of bench.server.sockets) socket.terminate();
    await vi.waitFor(() => expect(bench.server.counts.opened).toBe(2));
    expect(await bench.connection.execute('', ignore)).not.toHaveProperty('missing');
  });
});

describe('a cell that was stopped before it was sent', () => {
  const loseReply = () => {
    bench.server.onExecute = (kernel, request) =>
      kernel.send('iopub', 'status', { execution_state: 'idle' }, request);
  };

  test.each([
    ['is renewed, as replies were lost', loseReply, () => undefined],
    ['is got back', () => undefined, () => bench.server.sockets.forEach((socket) => socket.terminate())],
  ])('while the socket %s, is not sent any more', async (_, prepare, cut) => {
    prepare();
    await bench.ready({ verifyTimeoutMs: 1_000, reconnectTimeoutMs: 2_000 });
    await bench.connection.execute('first', ignore);
    const answer = bench.server.onKernelInfo;
    const asked = Promise.withResolvers<void>();
    const held: (() => void)[] = [];
    bench.server.onKernelInfo = (...args) => (held.push(() => answer(...args)), asked.resolve());
    cut();
    if (prepare !== loseReply) await asked.promise;
    const stop = new AbortController();
    const execution = bench.connection.execute('second', { ...ignore, stop: stop.signal });
    await asked.promise;
    stop.abort(new Error('cancelled'));
    bench.server.onKernelInfo = answer;
    for (const answer of held) answer();
    await expect(execution).rejects.toThrow('cancelled');
    // The connection is as good as before.
    await bench.connection.execute('third', ignore);
    expect(bench.server.received.map(({ content }) => content['code'])).toEqual(['first', 'third']);
  });
});

describe('a silent kernel', () => {
  test('whose process is gone has died', async () => {
    const pids: number[] = [];
    bench.connection = withProbe((pid) => (pids.push(pid), Promise.resolve(false)));
    await bench.connection.ready(signal);
    silent();
    await expect(bench.connection.execute('', ignore)).rejects.toThrow('The kernel died: its process ended');
    expect(pids).toEqual([4711]);
  });

  test.each([true, undefined])('is left alone while its process runs, or nobody knows: %s', async (known) => {
    const probe = vi.fn<ProcessProbe>(() => Promise.resolve(known));
    bench.connection = withProbe(probe);
    await bench.connection.ready(signal);
    silent();
    const execution = bench.connection.execute('', { ...ignore, signal: AbortSignal.timeout(250) });
    await expect(execution).rejects.toThrow('timeout');
    expect(probe.mock.calls.length).toBeGreaterThan(1);
  });
});
