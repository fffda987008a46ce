import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonPieces } from '../../../lib/queue/json-pieces.ts';

const joined = (value: unknown): string => [...jsonPieces(value)].join('');
const LONG = 1_000_000;

describe('JSON in pieces', () => {
  test('is what JSON.stringify makes, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(joined(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  test('of large values, too, whichever of their parts are large', () => {
    const large = fc.string({ unit: 'binary', minLength: 1 }).map((text) => text.repeat(LONG / text.length));
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 3 }, fc.jsonValue(), large, tie('list'), tie('object')),
      list: fc.array(tie('any'), { maxLength: 3 }),
      object: fc.dictionary(fc.string(), tie('any'), { maxKeys: 3 }),
    })).any;
    fc.assert(
      fc.property(value, (value) => {
        expect(JSON.parse(joined(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ['one long text', 'x'.repeat(4 * LONG)],
    ['pairs of surrogates, one of them in two pieces', `x${'😀'.repeat(LONG)}`],
    ['many small items', Array.from({ length: LONG / 10 }, (_, n) => ({ n, text: 'output' }))],
  ])('of %s comes in pieces that stay small', (_, value) => {
    const pieces = [...jsonPieces({ value, absent: undefined, last: [undefined] })];
    expect(JSON.parse(pieces.join(''))).toEqual({ value, last: [null] });
    expect(pieces.length).toBeGreaterThan(1);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(4 * LONG);
  });
});
