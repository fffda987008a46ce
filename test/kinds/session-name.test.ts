import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconcile } from '../../workers/executor/lab/reconcile.ts';
import { Seen, SPAWN_MS, TestLab } from '../support/started-lab.ts';

let lab: TestLab;
beforeAll(async () => void (lab = await TestLab.start()), SPAWN_MS);
afterAll(() => lab[Symbol.asyncDispose](), SPAWN_MS);

test('a kernel whose session is named after its job goes on, is still ours, and ends with its session', async () => {
  const signal = AbortSignal.timeout(30_000);
  const kernel = await lab.kernel();
  const seen = new Seen();
  const running = kernel.execute('import time\nprint("begun", flush=True)\ntime.sleep(1)\nprint("ended")', {
    onIopub: seen.onIopub,
    signal,
  });
  await seen.until('begun');
  await kernel.nameAfter('job-1/attempt-1', signal);
  const paths = (await lab.lab.listSessions(signal)).map(({ path }) => path);
  expect(paths).toEqual(['noteburst/1/job-1/attempt-1']);
  await expect(reconcile(lab.lab, 1, signal)).resolves.toEqual({ sessions: [], kernelIds: [] });
  expect((await running).reply['status']).toBe('ok');
  expect(seen.text()).toBe('begun\nended\n');
  await kernel.delete(signal);
  await expect(lab.lab.listKernels(signal)).resolves.toEqual([]);
});
