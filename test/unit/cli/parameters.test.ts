import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parametersOf } from '../../../cli/parameters.ts';

const dir = mkdtempSync(join(tmpdir(), 'noteburst-parameters-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'values.yaml');

describe('-p', () => {
  test.each([
    ['3', 3],
    ['-3', -3],
    ['0123', 123],
    ['1_000', 1000],
    [' 7 ', 7],
    ['2.5', 2.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
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
    ['0x10', '0x10'],
    ['1__0', '1__0'],
    ['.', '.'],
  ])('n=%s', async (text, value) => {
    expect(await parametersOf(undefined, [`n=${text}`])).toEqual({ n: value });
  });

  test.each([
    ['n=nan', '-p n=nan: JSON has no such number'],
    ['n=-Infinity', 'JSON has no such number'],
    ['n=1e999', 'JSON has no such number'],
    ['n=12345678901234567890', 'it has more digits than can be sent'],
    ['=1', 'should be name=value'],
  ])('%s is refused', async (given, message) => {
    await expect(parametersOf(undefined, [given])).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('a file', () => {
  test('is YAML, and counts less', async () => {
    writeFileSync(file, 'base: &base { n: 1, s: "3" }\nall: { <<: *base, n: 2 }\nm: 0\n');
    expect(await parametersOf(file, ['m=1'])).toEqual({
      base: { n: 1, s: '3' },
      all: { n: 2, s: '3' },
      m: 1,
    });
  });

  test.each([
    ['a: { n: .inf }', 'values.yaml: n: JSON has no number Infinity'],
    ['a: &a { b: *a }', 'values.yaml: a value holds itself'],
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
