import { expect, test } from 'vitest';
import { preferredWait } from '../../../lib/http/prefer.ts';

test.each([
  [undefined, undefined],
  ['', undefined],
  ['respond-async', undefined],
  ['wait', undefined],
  ['wait=', undefined],
  ['wait=-1', undefined],
  ['wait=1.5', undefined],
  ['wait=soon', undefined],
  ['await=5', undefined],
  ['wait=0', 0],
  ['wait=20', 20],
  ['Wait=20', 20],
  ['wait="20"', 20],
  ['wait = 20 ; foo=bar', 20],
  ['respond-async, wait=10', 10],
  ['wait=3, wait=10', 3],
  ['wait=26', 25],
  ['wait=999999999', 25],
])('Prefer: %s waits %s s', (prefer, seconds) => {
  expect(preferredWait(prefer === undefined ? {} : { prefer })).toBe(seconds);
});
