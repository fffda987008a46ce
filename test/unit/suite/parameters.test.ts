import { describe, expect, test } from 'vitest';
import { parameters, readParameters } from '../../../suite/parameters.ts';

const sent = (yaml: string) => JSON.stringify(parameters.parse(readParameters(yaml)));
const issues = (yaml: string) =>
  parameters.safeParse(readParameters(yaml)).error?.issues.map(({ path, message }) => [path, message]);

describe('parameters', () => {
  test.each([
    ['n: 1\nm: 0x10', '{"n":1,"m":16}'],
    ['n: 9007199254740991', '{"n":9007199254740991}'],
    ['n: 2.5\nm: 1e-7', '{"n":2.5,"m":1e-7}'],
    // Equal in Python, and JSON has no other.
    ['n: 2.0\nm: 1e3', '{"n":2,"m":1000}'],
    // Python's text of so large a float is the same.
    ['n: 1e300', '{"n":1e+300}'],
    ['n: "12345678901234567890"\nm: "2.0"', '{"n":"12345678901234567890","m":"2.0"}'],
    [
      'a: &a { n: [1, true, null] }\nb: { <<: *a, s: é }',
      '{"a":{"n":[1,true,null]},"b":{"n":[1,true,null],"s":"é"}}',
    ],
    ['1: x', '{"1":"x"}'],
  ])('are sent as they are written: %s', (yaml, json) => {
    expect(sent(yaml)).toBe(json);
  });

  test.each([
    ['n: 9007199254740992', ['n'], '9007199254740992 has more digits than can be sent'],
    ['a: [{ n: -12345678901234567890 }]', ['a', '0', 'n'], '-12345678901234567890 has more digits'],
    ['n: 1000000000000000000000000', ['n'], '1000000000000000000000000 has more digits'],
    ['a: { n: .inf }', ['a', 'n'], 'JSON has neither NaN nor infinity'],
    ['n: .nan', ['n'], 'JSON has neither NaN nor infinity'],
    [`n: ${'9'.repeat(250_000)}`, ['n'], `${'9'.repeat(40)}… has more digits than can be sent; write a text`],
    ['a: [!!timestamp 2026-11-21]', ['a', '0'], 'JSON has no dates, sets and binary data; write a text'],
    ['a: { b: !!set { x, y } }', ['a', 'b'], 'JSON has no dates'],
    ['a: !!binary aGk=', ['a'], 'JSON has no dates'],
    ['%YAML 1.1\n---\nday: 2026-11-21', ['day'], 'JSON has no dates'],
    ['a: &a { b: *a }', ['a'], 'a value holds itself'],
  ])('are refused that would come as something else: %.80s', (yaml, path, message) => {
    expect(issues(yaml)).toEqual([[path, expect.stringContaining(message)]]);
  });

  test.each(['- 1', 'text', '', '3', '!!set { x, y }', '!!binary aGk='])('have names: %j', (yaml) => {
    expect(() => readParameters(yaml)).toThrow('should hold names and values');
  });

  test.each([
    ['a: *b', 'Unresolved alias'],
    ['a: [', 'Flow sequence'],
    ['n: 1\nn: 2', 'Map keys must be unique'],
  ])('are YAML: %s', (yaml, message) => {
    expect(() => readParameters(yaml)).toThrow(message);
  });
});
