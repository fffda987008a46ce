import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parametersOf } from '../../../cli/parameters.ts';

const dir = mkdtempSync(join(tmpdir(), 'noteburst-parameters-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'values.yaml');

describe('-p, integers apart from floats', () => {
  test.each([
    ['3', 3n],
    ['-3', -3n],
    ['0123', 123n],
    ['1_000', 1000n],
    [' 7 ', 7n],
    ['+12345678901234567890', 12345678901234567890n],
    ['2.5', 2.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['1e999', Infinity],
    ['-inf', NaN],
    ['True', true],
    ['False', false],
    ['None', null],
    // Text, whatever YAML would make of it.
    ['', ''],
    ['true', 'true'],
    ['null', 'null'],
    ['M31', 'M31'],
    ['ra > 3 # c', 'ra > 3 # c'],
    ['&x', '&x'],
    ['a: b', 'a: b'],
    ['[1, 2]', '[1, 2]'],
    ["'3'", "'3'"],
    ['a=b', 'a=b'],
    ['.inf', '.inf'],
    ['n_an', 'n_an'],
    ['0x10', '0x10'],
    ['1__0', '1__0'],
    ['.', '.'],
  ])('n=%s', async (text, value) => {
    expect(await parametersOf(undefined, [`n=${text}`])).toEqual({ n: value });
  });

  test('has a name', async () => {
    await expect(parametersOf(undefined, ['=1'])).rejects.toMatchObject({
      name: 'UsageError',
      message: '-p =1: should be name=value',
    });
  });
});

describe('a file', () => {
  test('is YAML, and counts less', async () => {
    writeFileSync(file, 'base: &base { n: 1, s: "3" }\nall: { <<: *base, n: 2 }\nm: 0\n');
    expect(await parametersOf(file, ['m=1'])).toEqual({
      base: { n: 1n, s: '3' },
      all: { n: 2n, s: '3' },
      m: 1n,
    });
  });

  test.each([
    ['a: *b', 'values.yaml: Unresolved alias'],
    ['- 1', 'should hold names and values'],
  ])('%s is refused', async (text, message) => {
    writeFileSync(file, text);
    await expect(parametersOf(file, [])).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining(message) as string,
    });
  });
});
