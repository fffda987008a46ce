import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDurationSeconds } from '../../../lib/contract/duration.ts';

describe('a duration', () => {
  test.each([
    ['90', 90],
    ['1.5', 1.5],
    [' 90 ', 90],
    ['45s', 45],
    ['5m', 300],
    ['5 minutes', 300],
    ['1h 30m', 5_400],
    ['1h30m', 5_400],
    ['2 hours 5 mins 10.5 seconds', 7_510.5],
    ['1 day', 86_400],
    ['1w 2d', 777_600],
    ['PT5M', 300],
    ['P1DT2H', 93_600],
    ['PT0.5S', 0.5],
    ['P1W', 604_800],
    ['0:05:00', 300],
    ['1 day, 0:00:01', 86_401],
    ['12:30', 45_000],
    ['0', 0],
  ])('of %j is %d seconds', (text, seconds) => {
    expect(parseDurationSeconds(text)).toBe(seconds);
  });

  test.each([
    '',
    ' ',
    'soon',
    'h',
    'P',
    'PT',
    '5 x',
    '-5',
    '-5m',
    '5m5h',
    '1e3',
    'Infinity',
    'NaN',
    '0:99',
    '5m '.repeat(9),
  ])('is not made of %j', (text) => {
    expect(parseDurationSeconds(text)).toBeUndefined();
  });

  test('may be written in units of any number, with or without spaces', () => {
    const amount = fc.nat({ max: 999 });
    fc.assert(
      fc.property(amount, amount, amount, amount, fc.constantFrom('', ' ', '  '), (d, h, m, s, space) => {
        const text = [`${d}d`, `${h}h`, `${m}m`, `${s}s`].join(space);
        expect(parseDurationSeconds(text)).toBe(d * 86_400 + h * 3_600 + m * 60 + s);
        expect(parseDurationSeconds(`P${d}DT${h}H${m}M${s}S`)).toBe(d * 86_400 + h * 3_600 + m * 60 + s);
      }),
    );
  });

  test('of plain seconds is the number itself', () => {
    fc.assert(
      fc.property(fc.nat(), (seconds) => {
        expect(parseDurationSeconds(String(seconds))).toBe(seconds);
      }),
    );
  });

  test('is never NaN or negative, whatever the text', () => {
    const alphabet = fc.constantFrom(...'0123456789 .:-+PTWDHMSwdhmsay,'.split(''));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: alphabet })), (text) => {
        const seconds = parseDurationSeconds(text);
        expect(seconds === undefined || seconds >= 0).toBe(true);
      }),
    );
  });

  test('cannot be made to cost time by a long text', () => {
    const begun = performance.now();
    expect(parseDurationSeconds(`1w${' '.repeat(100_000)}x`)).toBeUndefined();
    // Without a limit on its length this takes hours.
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
