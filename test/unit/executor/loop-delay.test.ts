import { expect, test, vi } from 'vitest';
import { LoopDelay } from '../../../workers/executor/jobs/loop-delay.ts';
import { capturedLog } from '../../support/log.ts';

const LIMIT_MS = 200;

/** As a synchronous call does that takes long. */
const block = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

test('a blocked event loop is told and logged, with how long it took', async () => {
  const { log, lines } = capturedLog();
  const onBlocked = vi.fn<() => void>();
  using _ = new LoopDelay(LIMIT_MS, onBlocked, log);
  // Its clock must have ticked once.
  await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 2));
  block(2 * LIMIT_MS);
  await vi.waitUntil(() => lines.length > 0, { timeout: 2_000, interval: 5 });
  expect(onBlocked).toHaveBeenCalledOnce();
  const line = JSON.parse(lines[0] as string) as { blockedMs: number; msg: string };
  expect(line.msg).toBe('the event loop was blocked');
  expect(line.blockedMs).toBeGreaterThanOrEqual(1.9 * LIMIT_MS);
});
