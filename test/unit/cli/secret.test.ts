import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { isInterrupted } from '../../../cli/interrupt.ts';
import { askSecret } from '../../../cli/terminal/secret.ts';

/** What is typed at a terminal, or comes through a pipe. */
function typed(keys: string, isTTY: boolean): PassThrough {
  const input = Object.assign(new PassThrough(), { isTTY });
  input.write(keys);
  if (!isTTY) input.end();
  return input;
}

test.each([
  ['a line', 'gt-a.b\r', true, 'gt-a.b'],
  ['Ctrl-D', '\u0004', true, ''],
  ['a line of a pipe, without its end', 'gt-a.b', false, 'gt-a.b'],
  ['the end of a pipe, /dev/null', '', false, ''],
])('%s', async (_what, keys, isTTY, secret) => {
  expect(await askSecret('', typed(keys, isTTY))).toBe(secret);
});

test('Ctrl-C is no answer', async () => {
  const refused: unknown = await askSecret('', typed('gt-\u0003', true)).catch((error: unknown) => error);
  expect(isInterrupted(refused)).toBe(true);
});
