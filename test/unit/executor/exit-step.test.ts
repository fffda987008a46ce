import { expect, test, vi } from 'vitest';
import { exitStep } from '../../../workers/executor/exit-step.ts';
import { capturedLog } from '../../support/log.ts';

const never = () => false;

test('a step that fails is tried again until it is done', async () => {
  const { log, lines } = capturedLog();
  const step = vi.fn<() => Promise<void>>().mockRejectedValueOnce(new Error('503')).mockResolvedValueOnce();
  await exitStep(log, 'stop the lab', 5_000, step, never);
  expect(step).toHaveBeenCalledTimes(2);
  expect(lines.join('')).toContain('could not stop the lab');
});

test('a step that never ends is given up in time, and does not reject', async () => {
  const { log } = capturedLog();
  const begun = performance.now();
  const hangs = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  await exitStep(log, 'stop the lab', 100, hangs, never);
  expect(performance.now() - begun).toBeLessThan(1_000);
});

test('a step that keeps failing is given up in time', async () => {
  const { log } = capturedLog();
  const step = vi.fn(() => Promise.reject(new Error('503')));
  await exitStep(log, 'stop the lab', 400, step, never);
  expect(step.mock.calls.length).toBeGreaterThan(1);
});

test('what cannot succeed is not tried again', async () => {
  const { log } = capturedLog();
  const step = vi.fn(() => Promise.reject(new Error('refused')));
  await exitStep(log, 'stop the lab', 5_000, step, (error) => String(error).includes('refused'));
  expect(step).toHaveBeenCalledOnce();
});
