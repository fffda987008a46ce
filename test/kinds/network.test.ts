import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { discoveryThrough, FaultProxy } from '../support/fault-proxy.ts';
import { printed } from '../support/job-events.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { platform } from '../support/platform.ts';
import { Stack } from '../support/stack.ts';

/**
 * Networks that stay bad for longer than an executor waits for them, as callers see it. Here and not in e2e, as it takes
 * 15 s to notice a silence, and 30 s until a kernel is given up.
 */
const SILENCE_MS = 20_000;
const GIVEN_UP_MS = 31_000;
let stack: AsyncDisposableStack;
let service: Stack;
let proxy: FaultProxy;
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const { originUrl, repertoireUrl } = platform();
  proxy = stack.use(await FaultProxy.start(originUrl));
  const discovery = stack.use(await discoveryThrough(proxy, repertoireUrl));
  service = stack.use(await Stack.start());
  const env = { REPERTOIRE_BASE_URL: discovery.url, NOTEBURST_WORKER_WARM_KERNEL: 'python3' };
  await (await service.startExecutor(env)).ready();
});
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  proxy.refuse = false;
});

const SECONDS = 6;
/** A second between its lines, so that some of them are printed while nobody hears them. */
const counting = (seconds: number) =>
  codeCell(`import time\nfor n in range(${seconds}):\n    print(n, flush=True)\n    time.sleep(1)`);
const over = codeCell('print("over")');
const counted = Array.from({ length: SECONDS }, (_, n) => `${n}\\n`).join('');
const submit = (enable_retry: boolean, seconds = SECONDS) =>
  service.submit(ipynb({ cells: [counting(seconds), over] }), { enable_retry, kernel_name: 'python3' });

describe('a network that swallows everything', () => {
  test('is noticed, and the notebook comes back whole', { timeout: 90_000 }, async () => {
    const id = await submit(true);
    await printed(service, id, /^2$/m);
    proxy.stall();
    await sleep(SILENCE_MS);
    const job = await service.untilComplete(id, { timeoutMs: 60_000, everyMs: 200 });
    expect(job).toMatchObject({ success: true, phase: 'completed' });
    expect(job).not.toHaveProperty('warnings');
    expect(job.ipynb).toContain(`"text":"${counted}"`);
  });

  test(
    'costs a notebook that may not be rerun some output, and it says so',
    { timeout: 90_000 },
    async () => {
      // Its cell goes on for longer than the silence; of one that ends within nobody knows how it ended.
      const id = await submit(false, 30);
      await printed(service, id, /^2$/m);
      proxy.stall();
      await sleep(SILENCE_MS);
      const job = await service.untilComplete(id, { timeoutMs: 60_000, everyMs: 200 });
      expect(job).toMatchObject({
        success: true,
        attempts: 1,
        warnings: [expect.stringMatching(/output may be missing/)],
      });
      expect(job.ipynb).toContain('"text":"over\\n"');
    },
  );
});

describe('a lab that cannot be reached for longer than a kernel is waited for, but lives', () => {
  test('has the notebook run anew in it', { timeout: 120_000 }, async () => {
    const id = await submit(true);
    await printed(service, id, /^2$/m);
    proxy.refuse = true;
    proxy.cut();
    await sleep(GIVEN_UP_MS);
    expect(await service.job(id)).not.toMatchObject({ status: 'complete' });
    proxy.refuse = false;
    const job = await service.untilComplete(id, { timeoutMs: 70_000, everyMs: 200 });
    expect(job).toMatchObject({ success: true, phase: 'completed', attempts: 2 });
    expect(job.ipynb).toContain(`"text":"${counted}"`);
  });

  test('ends a notebook that may not be rerun once, with that reason', { timeout: 120_000 }, async () => {
    const id = await submit(false);
    await printed(service, id, /^2$/m);
    proxy.refuse = true;
    proxy.cut();
    await sleep(GIVEN_UP_MS);
    proxy.refuse = false;
    const job = await service.untilComplete(id, { timeoutMs: 70_000, everyMs: 200 });
    expect(job).toMatchObject({ success: false, phase: 'failed', error: { reason: 'lab_lost' } });
    expect(job.partial_ipynb).toContain('"text":"');
    expect(job.error?.message).toMatch(/enable_retry/);
  });
});
