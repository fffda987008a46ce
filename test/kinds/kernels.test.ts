import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CellTooLargeError } from '../../workers/executor/kernel/kernel-error.ts';
import type { LeasedKernel } from '../../workers/executor/kernel/leased-kernel.ts';
import { platform } from '../support/platform.ts';
import { Seen, SPAWN_MS, TestLab } from '../support/started-lab.ts';

/** What holds for kernels in every kind of lab, and where the kinds differ: ../shared/design/execution.md. */
const { kind } = platform();
const signal = new AbortController().signal;
let lab: TestLab;
let kernel: LeasedKernel;
let seen: Seen;

beforeAll(async () => {
  lab = await TestLab.start();
}, SPAWN_MS);
afterAll(() => lab[Symbol.asyncDispose](), SPAWN_MS);
afterEach(() => lab.deleteKernels());

async function run(code: string): Promise<ReturnType<LeasedKernel['execute']>> {
  kernel = await lab.kernel();
  seen = new Seen();
  return kernel.execute(code, seen);
}

describe('a ready kernel', () => {
  test('loses no early output, however often one is started', async () => {
    for (let round = 0; round < 6; round++) {
      const result = await run('print("early")');
      expect(result).toEqual({ reply: { status: 'ok', execution_count: 1 }, repliedAt: expect.any(String) });
      expect(seen.text()).toBe('early\n');
    }
  });

  test('runs in a session of type console, named by us', async () => {
    kernel = await lab.kernel();
    const [session] = await lab.lab.listSessions(signal);
    expect(session).toMatchObject({ type: 'console', kernelId: kernel.kernelId });
    expect(session?.path).toMatch(/^noteburst\/1\//);
  });

  test('runs cells one after the other without losing a reply', async () => {
    kernel = await lab.kernel();
    const begun = performance.now();
    for (let cell = 0; cell < 100; cell++) {
      const seen = new Seen();
      const { missing, reply } = await kernel.execute(`print(${cell})`, seen);
      // jupyter-server-documents loses the shell replies of a kernel now and then, until the socket is renewed.
      expect(kind === 'jsd' ? [undefined, 'reply'] : [undefined]).toContain(missing);
      expect(reply).toMatchObject({ status: 'ok', execution_count: cell + 1 });
      expect(seen.text()).toBe(`${cell}\n`);
    }
    console.log(`${kind}: ${((performance.now() - begun) / 100).toFixed(1)} ms a cell`);
  });
});

describe('what a cell can do', () => {
  test('input() is refused by the kernel', async () => {
    expect(await run('input("name? ")')).toMatchObject({
      reply: { status: 'error', ename: 'StdinNotImplementedError' },
    });
  });

  test('a cell above the server’s 10 MB is refused, and the next runs', async () => {
    const refused = run(`#${'x'.repeat(11 * 2 ** 20)}`);
    await expect(refused).rejects.toThrow(CellTooLargeError);
    expect(await kernel.execute('1', seen)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('a cell of 9 MB is taken', async () => {
    expect(await run(`x = len("${'x'.repeat(9 * 2 ** 20)}")`)).toMatchObject({ reply: { status: 'ok' } });
  });

  test('20 MB in one display pass', async () => {
    const code = `from IPython.display import display\ndisplay({'text/plain': 'x' * ${20 * 2 ** 20}}, raw=True)`;
    expect(await run(code)).toMatchObject({ reply: { status: 'ok' } });
    const [shown] = seen.of('display_data') as { data: Record<string, string> }[];
    expect(shown?.data['text/plain']).toHaveLength(20 * 2 ** 20);
  });

  test('a flood of output is cut short by jupyter_server’s rate limits, which says so, and the error is still known', async () => {
    const flood = `import sys\nfor n in range(3000): print('x' * 2000, flush=True)\n1/0`;
    expect(await run(flood)).toMatchObject({ reply: { status: 'error', ename: 'ZeroDivisionError' } });
    const isWhole = seen.text().length === 3000 * 2001;
    const isTold = /IOPub (data|message) rate exceeded/.test(seen.text('stderr'));
    expect({ isWhole, isTold }).toEqual(
      kind === 'jsd' ? { isWhole: true, isTold: false } : { isWhole: false, isTold: true },
    );
  });

  test('subprocesses’ output is captured', async () => {
    await run('import subprocess\n_ = subprocess.run(["echo", "from outside"])');
    expect(seen.text()).toBe('from outside\n');
  });

  test('a thread that prints late belongs to its own cell, or to the current one on ipykernel 7', async () => {
    const code = `import threading, time\ndef late():\n    time.sleep(0.4)\n    print("late")\nthreading.Thread(target=late).start()`;
    await run(code);
    const second = new Seen();
    await kernel.execute('time.sleep(0.8)', second);
    expect(kind === 'std7' ? second.text() : seen.text()).toBe('late\n');
  });

  test('an interrupt ends a cell as KeyboardInterrupt, and the kernel goes on', async () => {
    kernel = await lab.kernel();
    seen = new Seen();
    const sleeping = kernel.execute('print("asleep", flush=True)\nimport time; time.sleep(60)', seen);
    await seen.until('asleep');
    await kernel.interrupt(signal);
    expect(await sleeping).toMatchObject({ reply: { status: 'error', ename: 'KeyboardInterrupt' } });
    expect(await kernel.execute('1', seen)).toMatchObject({ reply: { status: 'ok' } });
  });
});
