import { describe, expect, test } from 'vitest';
import { harmless } from '../../../suite/reports/terminal-style.ts';

describe('text of notebooks on a terminal', () => {
  const red = '\u001B[31mred\u001B[39m';

  test('keeps its colours where they are wanted, and ends them', () => {
    expect(harmless(red, true)).toBe(`${red}\u001B[0m`);
    expect(harmless(red, false)).toBe('red');
  });

  test.each([
    ['a title', '\u001B]0;owned\u0007x'],
    ['a cleared screen', '\u001B[2Jx'],
    ['a cursor that moves', '\u001B[1;1Hx'],
    ['a link', '\u001B]8;;https://example.org\u0007x\u001B]8;;\u0007'],
    ['a carriage return', '\rx'],
    ['8-bit controls', '\u009B2Jx'],
    ['a bell', '\u0007x'],
  ])('gives the terminal no orders: %s', (_what, text) => {
    expect(harmless(text, true)).toMatch(/^\P{Cc}*x\P{Cc}*$/u);
  });

  test('keeps lines, tabs and all languages', () => {
    expect(harmless('a\n\tñ漢🎉', true)).toBe('a\n\tñ漢🎉');
  });
});
