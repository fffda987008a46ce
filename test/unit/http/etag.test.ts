import { describe, expect, test } from 'vitest';
import { etagOf, isKnown } from '../../../lib/http/etag.ts';

const ETAG = etagOf({ a: 1 });
const known = (value?: string) =>
  isKnown({ headers: value === undefined ? {} : { 'if-none-match': value } }, ETAG);

describe('an entity tag', () => {
  test('is strong, and another for other content', () => {
    expect(ETAG).toMatch(/^"[\w-]{22}"$/);
    expect(etagOf({ a: 1 })).toBe(ETAG);
    expect(etagOf({ a: 2 })).not.toBe(ETAG);
  });

  test.each([ETAG, `W/${ETAG}`, `"other", ${ETAG}`, `"other",W/${ETAG} , "more"`, '*'])(
    'is known to who sends %s',
    (value) => {
      expect(known(value)).toBe(true);
    },
  );

  test.each([undefined, '', '"other"', ETAG.slice(1, -1), `${ETAG}x`, 'W/*x'])(
    'is not known to who sends %s',
    (value) => {
      expect(known(value)).toBe(false);
    },
  );
});
