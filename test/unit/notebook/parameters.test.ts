import { describe, expect, test } from 'vitest';
import { checkNotebook, type CodeCell } from '../../../lib/contract/nbformat.ts';
import {
  injectParameters,
  InvalidParameterError,
  UnsupportedLanguageError,
} from '../../../workers/executor/notebook/parameters.ts';
import { notebook } from '../../support/notebooks.ts';

const inject = (parameters: Record<string, unknown>, parts = {}, language = 'python') =>
  injectParameters(checkNotebook(notebook(parts)), parameters, language);

describe('injectParameters', () => {
  test('leaves the notebook as it was, and gives a copy with one cell more', () => {
    const before = checkNotebook(notebook());
    const copy = structuredClone(before);
    const { cells } = injectParameters(before, { x: 1, y: Number.NaN, z: [-Infinity] }, 'python');
    expect(before).toEqual(copy);
    expect(cells).toHaveLength(2);
    expect(cells[0]).toEqual({
      cell_type: 'code',
      id: expect.stringMatching(/^[0-9a-f]{8}$/) as string,
      metadata: { tags: ['injected-parameters'] },
      source: "# Parameters\nx = 1\ny = float('nan')\nz = [float('-inf')]\n",
      outputs: [],
      execution_count: null,
    });
  });

  test('gives the cell no id where cells have none', () => {
    expect(inject({ x: 1 }, { nbformat_minor: 4 }).cells[0]).not.toHaveProperty('id');
  });

  test('records the parameters beside what papermill left there', () => {
    const papermill = { version: '2.6.0', parameters: { x: 0 }, environment_variables: { A: 'b' } };
    const { metadata } = inject({ x: 1 }, { metadata: { papermill, title: 'kept' } });
    expect(metadata).toEqual({
      title: 'kept',
      papermill: {
        version: '2.6.0',
        parameters: { x: 1 },
        environment_variables: { A: 'b' },
        default_parameters: {},
      },
    });
  });

  test('refuses languages that it cannot write, by name', () => {
    expect(() => inject({ x: 1 }, {}, 'julia')).toThrow(UnsupportedLanguageError);
    expect(() => inject({ x: 1 }, {}, 'constructor')).toThrow(
      'Parameters cannot be injected into a notebook in "constructor", only into one in: python',
    );
  });

  test('refuses whole numbers that lost their last digits on the way', () => {
    const objectId = JSON.parse('{"id": [3409306865432461312]}') as Record<string, unknown>;
    expect(() => inject(objectId)).toThrow(InvalidParameterError);
    expect((inject({ x: 1e21 }).cells[0] as CodeCell).source).toContain('x = 1e+21');
  });
});
