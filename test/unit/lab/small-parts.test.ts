import { expect, test, vi } from 'vitest';
import { retryAfterMs } from '../../../lib/http/retry-after-ms.ts';
import { keepAlive } from '../../../workers/executor/lab/keepalive.ts';
import { repeat } from '../../../workers/executor/lab/repeat.ts';

test.each([
  ['3', 3000],
  ['0', 0],
  ['Thu, 01 Jan 1970 00:00:10 GMT', 9000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s means %s ms', (value, expected) => {
  expect(retryAfterMs(value, 1000)).toBe(expected);
});

test('what is repeated goes on after failures, never overlaps, and ends by the signal', async () => {
  const stop = new AbortController();
  const failures: string[] = [];
  let running = 0;
  let touches = 0;
  const call = async () => {
    expect(++running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 15));
    running -= 1;
    if (++touches === 2) throw new Error('lab is away');
    if (touches === 4) stop.abort();
  };
  const onFailure = (error: unknown) => failures.push(String(error));
  await repeat({ everyMs: 5, call, onFailure, signal: stop.signal });
  expect(touches).toBe(4);
  expect(failures).toEqual(['Error: lab is away']);
});

test('a disabled keepalive is over at once', async () => {
  const touch = vi.fn(async () => {});
  await keepAlive({ setting: 'disabled', touch, onFailure: () => {}, signal: new AbortController().signal });
  expect(touch).not.toHaveBeenCalled();
});
