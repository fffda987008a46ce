import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_JSON_DEPTH, parseBoundedJson } from '../../../lib/contract/json.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** What the parser makes of the text, or the name of what it throws. */
function readBy(parse: (text: string) => unknown, text: string) {
  try {
    return { value: parse(text) };
  } catch (error) {
    return { error: (error as Error).name };
  }
}

describe('JSON from strangers', () => {
  test('is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), fc.constantFrom(undefined, 2), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(parseBoundedJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('is either read or refused with a SyntaxError, whatever the text', () => {
    const jsonLike = fc.string({ unit: fc.constantFrom(...'[]{}",:\\ntrue0-.e \n'.split('')) });
    fc.assert(
      fc.property(fc.oneof(fc.string(), jsonLike), (text) => {
        expect(readBy(parseBoundedJson, text)).toEqual(readBy(JSON.parse, text));
      }),
      { numRuns: 500 },
    );
  });

  test('may be nested as deep as the limit, and no deeper', () => {
    expect(parseBoundedJson(nested(MAX_JSON_DEPTH))).toEqual(JSON.parse(nested(MAX_JSON_DEPTH)));
    expect(() => parseBoundedJson(nested(MAX_JSON_DEPTH + 1))).toThrow('nested deeper than 100 levels');
  });

  test('of a million levels is refused, not followed', () => {
    expect(() => parseBoundedJson('{"a":'.repeat(1_000_000))).toThrow('nested deeper than 100 levels');
  });

  test('counts levels and not brackets, in texts and in a row', () => {
    const text = JSON.stringify({
      a: '['.repeat(500),
      '"{[\\': '\\"[[['.repeat(100),
      b: Array.from({ length: 500 }, () => []),
    });
    expect(parseBoundedJson(text)).toEqual(JSON.parse(text));
  });

  test('counts the same levels whatever stands in texts before and within them', () => {
    const nasty = fc.string({ unit: fc.constantFrom(...String.raw`"\[]{}n`.split('')) });
    fc.assert(
      fc.property(nasty, nasty, fc.integer({ min: 2, max: 2 * MAX_JSON_DEPTH }), (before, within, depth) => {
        const deep = nested(depth - 1).replace('[]', `[${JSON.stringify(within)}]`);
        const text = `[${JSON.stringify(before)},${deep}]`;
        const outcome =
          depth <= MAX_JSON_DEPTH ? { value: JSON.parse(text) as unknown } : { error: 'SyntaxError' };
        expect(readBy(parseBoundedJson, text)).toEqual(outcome);
      }),
      { numRuns: 500 },
    );
  });

  test('that is wrong is told by its place, never by its text', () => {
    expect(() => parseBoundedJson('{"password": hunter2}')).toThrow(/^syntax error$/);
    expect(() => parseBoundedJson('{"password": "hunter2')).toThrow(
      'syntax error at position 21 (line 1 column 22)',
    );
    expect(() => parseBoundedJson('{"password": "hunter2",}')).toThrow(
      'syntax error at position 23 (line 1 column 24)',
    );
    expect(() => parseBoundedJson('{"password": ')).toThrow(/^syntax error \(is it cut off\?\)$/);
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{6,12}$/),
        fc.constantFrom('{"a": %', '% {}', '["%', '{%: 1}'),
        (word, form) => {
          const secret = `zq${word}`;
          expect(() => parseBoundedJson(form.replace('%', secret))).toThrow(
            expect.not.objectContaining({ message: expect.stringContaining(secret) }),
          );
        },
      ),
    );
  });
});
