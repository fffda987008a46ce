import { describe, expect, test } from 'vitest';
import { regressionOptions } from '../../../suite/regression/options.ts';
import { sanitizerOf } from '../../../suite/regression/sanitizers.ts';

const parse = (sanitize: unknown) => regressionOptions.safeParse({ against: 'last', sanitize });
const builtIn = sanitizerOf({ sanitize: [] });
const own = (...sanitize: { match: string; replace: string }[]) =>
  sanitizerOf(regressionOptions.parse({ against: 'last', sanitize }));

describe('what always may vary', () => {
  test.for([
    ['<Figure at 0x7f3a2c1d4e50>', '<Figure at ADDRESS>'],
    ['object at 0x1f>', 'object at ADDRESS>'],
    ['ptr=0x00007F3A2C1D4E50', 'ptr=ADDRESS'],
    ['id 0f8fad5b-d9cb-469f-a165-70867728950e.', 'id UUID.'],
    ['/tmp/ipykernel_4711/1234567890.py:3: UserWarning: x', 'CELL:3: UserWarning: x'],
    ['/var/folders/x/ipykernel_4711/123.py:3: W', 'CELL:3: W'],
    ['<ipython-input-3-abcdef012345>', 'CELL'],
    ["saved '/tmp/tmpab12_x/out.fits'", "saved 'TEMPORARY'"],
    ['/private/var/folders/zz/T/a.txt', 'TEMPORARY'],
    ['CPU times: user 3.1 ms, sys: 0 ns, total: 3.1 ms\nWall time: 4 ms', 'TIMING\nTIMING'],
    ['1.2 µs ± 3.4 ns per loop (mean ± std. dev. of 7 runs, 1,000,000 loops each)', 'TIMING'],
    ['100%|███| 10/10 [00:01<00:00,  9.81it/s]', '100%|███| 10/10 [TIMING]'],
    ['10 %\r 50 %\r100 %', '100 %'],
    ['Query took 3.2 seconds', 'Query took TIMING'],
    ['elapsed: 12 ms', 'elapsed: TIMING'],
    ['2026-11-21', 'DATE'],
    ['2026-11-21T10:00:00.123456+00:00 INFO', 'DATE INFO'],
    ['2026-11-21 10:00:00,123 INFO', 'DATE INFO'],
    ['Sat Nov 21 19:30:19 2026', 'DATE'],
    ['Sat Nov  7 19:30:19 UTC 2026', 'DATE'],
    ['Sat, 21 Nov 2026 10:00:00 GMT', 'DATE'],
    ['\u001B[31mred\u001B[0m', 'red'],
  ] as const)('%s', ([text, clean]) => {
    expect(builtIn(text)).toBe(clean);
  });
});

describe('what may be a result', () => {
  test.for([
    'RA 05:34:31.97 Dec +22:00:52.1',
    'exposure 30 s in band r',
    'flags 0xdeadbeef',
    'MJD 60634.5, 2026 objects',
    'd41d8cd98f00b204e9800998ecf8427e',
    'DM-12345 2026-1-1',
    'a tmp/path and /temporary/path',
    '[1:2] and [00:01]',
  ])('is left alone: %s', (text) => {
    expect(builtIn(text)).toBe(text);
  });
});

describe("a suite's own", () => {
  test('come in their order, line by line, with groups', () => {
    const sanitize = own(
      { match: '^host (\\w+)$', replace: 'host NAME' },
      { match: '(\\d+) of (\\d+)', replace: '$2/$1 $$' },
      { match: 'NAME', replace: 'X' },
    );
    expect(sanitize('host a\nhost b\n1 of 2, 3 of 4')).toBe('host X\nhost X\n2/1 $, 4/3 $');
  });

  test('see what the built-in ones have left', () => {
    expect(own({ match: 'DATE', replace: 'then' })('on 2026-11-21')).toBe('on then');
  });

  test.for([
    ['(', /is no regular expression of RE2/],
    ['(?=a)', /is no regular expression of RE2/],
    ['(a)\\1', /is no regular expression of RE2/],
    ['', /too small/i],
    ['a'.repeat(1_001), /too big/i],
  ] as const)('are refused with a word when they are none: %s', ([match, message]) => {
    const { error } = parse([{ match, replace: '' }]);
    expect(error?.issues[0]?.path).toEqual(['sanitize', 0, 'match']);
    expect(error?.issues[0]?.message).toMatch(message);
  });

  test('are refused with other words, and too many of them', () => {
    expect(parse([{ match: 'a', with: 'b' }]).success).toBe(false);
    expect(parse(Array.from({ length: 101 }, () => ({ match: 'a', replace: '' }))).success).toBe(false);
    expect(regressionOptions.safeParse({ against: 'yesterday' }).success).toBe(false);
    expect(regressionOptions.safeParse({ against: 'last', ignore: ['png'] }).success).toBe(false);
  });
});

describe('a text that is made to be slow', () => {
  const long = 'a'.repeat(100_000);
  test.for([
    ['for one pattern', own({ match: '(a+)+$', replace: 'x' }), `${long}!`],
    ['for another', own({ match: '(a|aa)*b|^(\\w+\\s?)*$', replace: 'x' }), `${long}!`],
    ['for the built-in ones: slashes', builtIn, '/'.repeat(100_000)],
    ['for the built-in ones: paths', builtIn, '/a'.repeat(100_000)],
    ['for the built-in ones: long paths', builtIn, `/${'a'.repeat(255)}`.repeat(1_000)],
    ['for the built-in ones: digits', builtIn, '1'.repeat(200_000)],
    ['for the built-in ones: spaces', builtIn, `took${' '.repeat(200_000)}x`],
    ['for the built-in ones: brackets', builtIn, '[00:00<'.repeat(30_000)],
    ['for the built-in ones: hexadecimal', builtIn, 'at 0x'.repeat(40_000)],
    ['for the built-in ones: temporary files', builtIn, '/tmp/'.repeat(40_000)],
  ] as const)('%s, takes no long time', ([, sanitize, text]) => {
    const begunMs = performance.now();
    sanitize(text);
    expect(performance.now() - begunMs).toBeLessThan(5_000);
  });
});
