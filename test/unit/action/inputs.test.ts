import { afterEach, describe, expect, test, vi } from 'vitest';
import { readInputs } from '../../../action/inputs.ts';

afterEach(() => vi.unstubAllEnvs());

/** What the runner makes of the inputs of a step. */
function read(inputs: Record<string, string>) {
  const all = { 'base-url': 'https://data.example.org/noteburst', ...inputs };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(`INPUT_${name.toUpperCase()}`, value);
  return readInputs();
}

describe('the input parameters', () => {
  test("is YAML as the command's file of parameters is", () => {
    const given = 'base: &base { n: 1 }\nall: { <<: *base, s: "2.0" }';
    expect(read({ parameters: given }).options.parameters).toEqual({
      base: { n: 1 },
      all: { n: 1, s: '2.0' },
    });
  });

  test('has one kind of numbers, as JSON has', () => {
    expect(read({ parameters: 'n: 2.0' }).options.parameters).toEqual({ n: 2 });
  });

  test.each([
    ['- 1', 'The input parameters: should hold names and values'],
    ['a: [', 'The input parameters: Flow sequence'],
    ['a: { n: 12345678901234567890 }', 'The input parameters: a: n: 12345678901234567890 has more digits'],
    ['n: .inf', 'The input parameters: n: JSON has neither'],
  ])('is refused when it is %j', (parameters, message) => {
    expect(() => read({ parameters })).toThrow(message);
  });
});
