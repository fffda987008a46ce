import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ExecuteResult } from '../../workers/executor/kernel/execute-result.ts';
import {
  KernelDiedError,
  OutputLostError,
  SocketClosedError,
  type KernelError,
} from '../../workers/executor/kernel/kernel-error.ts';
import type { LeasedKernel, NotebookKernel } from '../../workers/executor/kernel/leased-kernel.ts';
import type { KernelMessage } from '../../workers/executor/kernel/messages.ts';
import { runNotebook } from '../../workers/executor/notebook/run-notebook.ts';
import { checkNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { platform } from '../support/platform.ts';
import { Seen, SPAWN_MS, TestLab } from '../support/started-lab.ts';

/** jupyter_server keeps messages for a client that is away, jupyter-server-documents does not. */
const { kind, originUrl } = platform();
const keeps = kind !== 'jsd';
let lab: TestLab;
let proxy: FaultProxy;
let kernel: LeasedKernel;
let seen: Seen;

beforeAll(async () => {
  lab = await TestLab.start();
}, SPAWN_MS);
afterAll(() => lab[Symbol.asyncDispose](), SPAWN_MS);

beforeEach(async () => {
  proxy = await FaultProxy.start(originUrl);
  kernel = await lab.kernel(
    { limits: { pingIntervalMs: 300 }, timings: { reconnectTimeoutMs: 12_000 } },
    proxy.in(lab.lab),
  );
  seen = new Seen();
});
afterEach(async () => {
  await lab.deleteKernels();
  await proxy[Symbol.asyncDispose]();
});

/** Numbers from 0 on, one each 50 ms. */
const counting = (count: number) =>
  `import time\nfor n in range(${count}):\n    print(n, flush=True)\n    time.sleep(0.05)`;
const counted = (count: number) => Array.from({ length: count }, (_, n) => `${n}\n`).join('');

/** How a cell ended: its status and all it printed, or the code of the error, when nobody knows all it printed. */
async function ending(running: Promise<ExecuteResult>): Promise<{ ended: string; text: unknown }> {
  try {
    const { reply, missing } = await running;
    return { ended: missing ?? reply.status, text: seen.text() };
  } catch (error) {
    return { ended: (error as KernelError).code, text: ANY };
  }
}
const ANY = 'anything';
const lost = { ended: 'output_lost', text: ANY };
const whole = (text: string) => ({ ended: 'ok', text });

describe('a websocket that is cut in the middle of a cell', () => {
  test('while the cell prints: nothing is lost or doubled, or else the run says so', async () => {
    const running = kernel.execute(counting(60), seen);
    await seen.until('10\n');
    proxy.refuse = true;
    proxy.cut();
    await delay(500);
    proxy.refuse = false;
    expect(await ending(running)).toEqual(keeps ? whole(counted(60)) : lost);
    const ids = seen.messages.map(({ header }) => header.msg_id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(proxy.connections).toBeGreaterThan(1);
  });

  test('once the caller can do with a warning, the cell goes on to its end', async () => {
    const running = kernel.execute(counting(40), { onIopub: seen.onIopub, lostOutput: 'report' });
    await seen.until('5\n');
    proxy.refuse = true;
    proxy.cut();
    await delay(500);
    proxy.refuse = false;
    const result = await running;
    expect(result).toMatchObject({ reply: { status: 'ok' } });
    expect(result.missing).toBe(keeps ? undefined : 'output');
    expect(seen.text()).toMatch(/39\n$/);
  });

  test('of a notebook that must not be run again: it goes on, and a warning tells what may be missing', async () => {
    const notebook = checkNotebook(
      JSON.parse(ipynb({ cells: [counting(40), 'print("next")'].map(codeCell) })),
    );
    const watched: NotebookKernel = {
      languageInfo: {},
      sendComm: (comm) => kernel.sendComm(comm),
      interrupt: (signal) => kernel.interrupt(signal),
      execute: (code, options) => {
        const onIopub = (message: KernelMessage) => {
          seen.onIopub(message);
          options.onIopub(message);
        };
        return kernel.execute(code, { ...options, onIopub });
      },
    };
    const signal = new AbortController().signal;
    const running = runNotebook({ notebook, kernel: watched, signal, lostOutput: 'report' });
    await seen.until('5\n');
    proxy.refuse = true;
    proxy.cut();
    await delay(500);
    proxy.refuse = false;
    const result = await running;
    expect(result.failure).toBeUndefined();
    const [counted, next] = result.notebook.cells.map((cell) => JSON.stringify((cell as CodeCell).outputs));
    expect(counted).toContain('39');
    expect(counted?.includes('12')).toBe(keeps);
    expect(next).toContain('next');
    const warned = result.warnings.map((warning) => /^Cell 0: .* may be missing$/.test(warning));
    expect(warned).toEqual(keeps ? [] : [true]);
  });

  test('which ends while the socket is away', async () => {
    const running = kernel.execute(
      'print("before", flush=True)\nimport time; time.sleep(1)\nprint("after")',
      seen,
    );
    running.catch(() => undefined);
    await seen.until('before');
    proxy.refuse = true;
    proxy.cut();
    await delay(2_000);
    proxy.refuse = false;
    expect(await ending(running)).toEqual(keeps ? whole('before\nafter\n') : lost);
  });

  test('between two cells costs nothing', async () => {
    await kernel.execute('x = 1', seen);
    proxy.cut();
    await delay(50);
    await kernel.execute('print(x)', seen);
    expect(seen.text()).toBe('1\n');
  });

  test('and swallows a request is never taken for a cell that ran', async () => {
    await kernel.execute('x = 1', seen);
    proxy.cut();
    // Sent again where it is sure that it did not run, else the notebook is.
    expect([whole('1\n'), lost]).toContainEqual(await ending(kernel.execute('print(x)', seen)));
  });

  test('many times over', async () => {
    const running = kernel.execute(counting(80), seen);
    running.catch(() => undefined);
    for (const upTo of ['5\n', '20\n', '40\n']) {
      await Promise.race([seen.until(upTo), running.catch(() => undefined)]);
      proxy.cut();
    }
    // What was on its way when the connection was reset is lost in any kind: then the run must say so.
    expect([whole(counted(80)), lost]).toContainEqual(await ending(running));
  });

  test('and whose kernel dies meanwhile is known to be dead', async () => {
    const running = kernel.execute(
      'print("x", flush=True)\nimport os, time; time.sleep(0.5); os._exit(1)',
      seen,
    );
    running.catch(() => undefined);
    await seen.until('x');
    proxy.refuse = true;
    proxy.cut();
    await delay(1_000);
    proxy.refuse = false;
    await expect(running).rejects.toThrow(KernelDiedError);
  });

  test('for good ends the cell in bounded time', async () => {
    const running = kernel.execute('print("x", flush=True)\nimport time; time.sleep(60)', seen);
    running.catch(() => undefined);
    await seen.until('x');
    proxy.refuse = true;
    proxy.cut();
    await expect(running).rejects.toThrow(SocketClosedError);
  });
});

describe('a network that', () => {
  test('swallows everything is noticed by its silence', async () => {
    const running = kernel.execute(counting(80), seen);
    running.catch(() => undefined);
    await seen.until('5\n');
    proxy.stall();
    // What the lab sent into the stalled connection is gone.
    await expect(running).rejects.toThrow(OutputLostError);
  });

  test('is slow changes nothing', async () => {
    proxy.delayMs = 120;
    expect(await kernel.execute(counting(20), seen)).toMatchObject({ reply: { status: 'ok' } });
    expect(seen.text()).toBe(counted(20));
    expect(proxy.connections).toBe(1);
  });
});
