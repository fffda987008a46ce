import picomatch from 'picomatch';
import { describe, expect, test } from 'vitest';
import { patternProblem } from '../../../suite/pattern.ts';

describe('patterns', () => {
  test.each(['**/*.ipynb', 'a/**/b/*draft*.{ipynb,py}', './x', '[ab]?.ipynb', 'tutorials/', 'a'])(
    '%s is taken',
    (pattern) => {
      expect(patternProblem(pattern)).toBeUndefined();
    },
  );

  test.each([
    '',
    './',
    '/',
    '.',
    '*a*a*a*a*b',
    '**/a/**/b/**/c/**',
    '{a,b}{a,b}{a,b}',
    '+(a|aa)+b',
    'x'.repeat(300),
  ])('%j is not taken', (pattern) => {
    expect(patternProblem(pattern)).toEqual(expect.any(String));
  });

  test.each(['*a*a*a.ipynb', '**/*a/**/*a/**/*a*a.ipynb', '**/{*a,*a}{*a,a}.ipynb'])(
    '%s is soon done with any path of a repository',
    (pattern) => {
      expect(patternProblem(pattern)).toBeUndefined();
      const isMatch = picomatch(pattern, { dot: true, noextglob: true });
      const begun = performance.now();
      for (const path of ['a'.repeat(255), 'a/'.repeat(149), 'aaaaaaa/'.repeat(37)]) isMatch(`${path}x`);
      expect(performance.now() - begun).toBeLessThan(2_000);
    },
  );
});
