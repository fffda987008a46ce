import { describe, expect, test } from 'vitest';
import { MAX_PARAMETERS_BYTES, postNotebookRequest } from '../../../lib/contract/notebooks-api.ts';
import { unprocessable } from '../../../lib/http/http-error.ts';
import { ipynb } from '../../support/notebooks.ts';

const parse = (fields: object) =>
  postNotebookRequest(3_600).safeParse({ ipynb: ipynb(), ...fields }, { reportInput: true });
const detail = (fields: object) => {
  const { error } = parse(fields);
  return error && unprocessable('body', error).detail;
};

describe('parameters', () => {
  test.each([
    [undefined, undefined],
    [null, undefined],
    [{}, {}],
    [
      { a: 1, _b: 'x', c9: [null, { d: true }], été: 1.5 },
      { a: 1, _b: 'x', c9: [null, { d: true }], été: 1.5 },
    ],
  ])('%j are taken', (parameters, expected) => {
    expect(parse({ parameters }).data?.parameters).toEqual(expected);
  });

  test.each(['1a', 'a-b', '', 'a b', 'a.b', 'a;import os', '__proto__'])(
    'are refused with the name "%s"',
    (name) => {
      const parameters: unknown = JSON.parse(`{${JSON.stringify(name)}: 1}`);
      expect(detail({ parameters })).toEqual([
        {
          type: 'value_error',
          loc: ['body', 'parameters', name],
          msg: 'The name of a parameter should be an identifier',
        },
      ]);
    },
  );

  test.each([[[]], ['text'], [1], [true]])('are refused when they are %j', (parameters) => {
    expect(detail({ parameters })).toMatchObject([{ loc: ['body', 'parameters'] }]);
  });

  test('are refused when they are large', () => {
    const fits = { a: 'x'.repeat(MAX_PARAMETERS_BYTES - '{"a":""}'.length) };
    expect(parse({ parameters: fits }).success).toBe(true);
    expect(detail({ parameters: { a: `${fits.a}x` } })).toMatchObject([
      { loc: ['body', 'parameters'], msg: expect.stringContaining('65536 bytes') },
    ]);
    expect(parse({ parameters: { a: 'é'.repeat(MAX_PARAMETERS_BYTES / 2) } }).success).toBe(false);
  });
});

describe('cell_timeout', () => {
  test.each([
    [undefined, undefined],
    [null, undefined],
    [1.5, 1.5],
    ['2m', 120],
  ])('%j is %j s', (cell_timeout, seconds) => {
    expect(parse({ cell_timeout }).data?.cell_timeout).toBe(seconds);
  });

  test.each([0, -1, 3_601, 'soon', [], '2h'])('%j is refused', (cell_timeout) => {
    expect(detail({ cell_timeout })).toMatchObject([{ loc: ['body', 'cell_timeout'] }]);
  });
});
