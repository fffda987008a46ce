import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { parseNotebook, type CodeCell } from '../../lib/contract/nbformat.ts';
import { discoveryThrough, FaultProxy } from '../support/fault-proxy.ts';
import { printed } from '../support/job-events.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { platform } from '../support/platform.ts';
import { Stack } from '../support/stack.ts';

/** An executor whose network to hub and lab is as bad as the test wants; the callers' network is good. */
const cleanup = new AsyncDisposableStack();
let stack: Stack;
let proxy: FaultProxy;
beforeAll(async () => {
  const { originUrl, repertoireUrl } = platform();
  proxy = cleanup.use(await FaultProxy.start(originUrl));
  const discovery = cleanup.use(await discoveryThrough(proxy, repertoireUrl));
  stack = cleanup.use(await Stack.start());
  await (await stack.startExecutor({ REPERTOIRE_BASE_URL: discovery.url })).ready();
});
afterAll(() => cleanup.disposeAsync());
afterEach(() => {
  proxy.delayMs = 0;
  proxy.refuse = false;
});

/** Numbers from 0 on, one each 50 ms. */
const counting = (count: number) =>
  codeCell(`import time\nfor n in range(${count}):\n    print(n, flush=True)\n    time.sleep(0.05)`);
const counted = (count: number) => Array.from({ length: count }, (_, n) => `${n}\n`).join('');

const textOf = ({ ipynb }: NotebookResponse) =>
  parseNotebook(ipynb ?? '').cells.map((cell) =>
    (cell as CodeCell).outputs.map((output) => ('text' in output ? output.text : '')).join(''),
  );

/** It ran without a trace of what happened to the network. */
function expectWhole(job: NotebookResponse, text: string): void {
  expect(job).toMatchObject({ success: true, phase: 'completed' });
  expect(job).not.toHaveProperty('warnings');
  expect(textOf(job)).toEqual([text, 'over\n']);
}

const over = codeCell('print("over")');

describe('a websocket that is cut in the middle of a cell', () => {
  test('is opened anew, and what the cell printed meanwhile is there, in the same attempt', async () => {
    const file = join(platform().scratchDir, crypto.randomUUID());
    const cell = codeCell(`
import pathlib, time
print("ready", flush=True)
while not pathlib.Path(${JSON.stringify(file)}).exists():
    time.sleep(0.01)
for n in range(20):
    print(n, flush=True)`);
    const ids = await Promise.all([1, 2, 3].map(() => stack.submit(ipynb({ cells: [cell, over] }))));
    await Promise.all(ids.map((id) => printed(stack, id, /^ready$/m)));
    proxy.refuse = true;
    proxy.cut();
    await sleep(300);
    writeFileSync(file, '');
    await sleep(300);
    proxy.refuse = false;
    const jobs = await Promise.all(ids.map((id) => stack.untilComplete(id, { timeoutMs: 15_000 })));
    for (const job of jobs) expectWhole(job, `ready\n${counted(20)}`);
    // An answer to a probe may be what was lost on its way, and then the notebook is run anew; hardly in all of them.
    expect(jobs.map(({ attempts }) => attempts)).toContain(1);
  });

  test('while it prints: what was lost on its way is noticed, and the notebook run anew', async () => {
    const id = await stack.submit(ipynb({ cells: [counting(30), over] }));
    await printed(stack, id, /^5$/m);
    const { connections } = proxy;
    proxy.cut();
    const job = await stack.untilComplete(id, { timeoutMs: 15_000 });
    expect(proxy.connections).toBeGreaterThan(connections);
    expectWhole(job, counted(30));
    expect([1, 2]).toContain(job.attempts);
  });

  test('while it prints, and the notebook may not be run anew: it goes on, and says what may be missing', async () => {
    const id = await stack.submit(ipynb({ cells: [counting(30), over] }), { enable_retry: false });
    await printed(stack, id, /^5$/m);
    proxy.cut();
    const job = await stack.untilComplete(id, { timeoutMs: 15_000 });
    expect(job).toMatchObject({ success: true, attempts: 1 });
    const [text, last] = textOf(job);
    expect(last).toBe('over\n');
    expect(text).toMatch(/29\n$/);
    expect(text === counted(30) || /output may be missing/.test(job.warnings?.join() ?? '')).toBe(true);
  });

  test('does not keep the job from being cancelled', async () => {
    const id = await stack.submit(ipynb({ cells: [counting(1_000)] }));
    await printed(stack, id, /^5$/m);
    proxy.cut();
    await stack.fetch('status', `/v1/notebooks/${id}`, { method: 'DELETE' });
    const job = await stack.untilComplete(id, { timeoutMs: 8_000 });
    expect(job).toMatchObject({ success: false, phase: 'aborted', error: { reason: 'cancelled' } });
  });
});

test('a network that is slow, 100 ms each way, changes nothing but the time', async () => {
  proxy.delayMs = 100;
  const { connections } = proxy;
  const id = await stack.submit(ipynb({ cells: [counting(20), over] }));
  const job = await stack.untilComplete(id, { timeoutMs: 15_000 });
  expectWhole(job, counted(20));
  expect(job.attempts).toBe(1);
  // What is new are calls to the lab, none of them because a kernel's socket was given up.
  expect(proxy.connections - connections).toBeLessThan(10);
});
