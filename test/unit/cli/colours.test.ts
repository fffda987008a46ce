import { PassThrough } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { paintFor } from '../../../cli/terminal/colours.ts';

afterEach(() => vi.unstubAllEnvs());

test.each([
  ['true', true],
  ['1', true],
  ['3', true],
  ['0', false],
  ['false', false],
  [undefined, false],
])('FORCE_COLOR=%s on what is no terminal: coloured is %j', (value, isColoured) => {
  vi.stubEnv('FORCE_COLOR', value);
  vi.stubEnv('NO_COLOR', undefined);
  vi.stubEnv('NODE_DISABLE_COLORS', undefined);
  expect(paintFor(new PassThrough())('red', 'x') !== 'x').toBe(isColoured);
});
