import { describe, expect, test } from 'vitest';
import { InvalidNotebookError, multiline, parseNotebook } from '../../../lib/contract/nbformat.ts';
import { briefly } from '../../support/brief.ts';
import { codeCell, ipynb, markdownCell, notebook } from '../../support/notebooks.ts';
import { thrownBy } from '../../support/thrown.ts';

const problemOf = (text: string) => thrownBy(InvalidNotebookError, () => parseNotebook(text)).message;

describe('a notebook', () => {
  test.each([0, 1, 2, 3, 4, 5])('of nbformat 4.%d is taken', (minor) => {
    expect(parseNotebook(ipynb({ nbformat_minor: minor }))).toEqual(notebook({ nbformat_minor: minor }));
  });

  test('keeps what is not ours to know', () => {
    const extra = {
      ...notebook({ metadata: { kernelspec: { name: 'lsst' }, custom: [1] } }),
      unknown: { deep: true },
      cells: [
        { ...codeCell('1'), id: 'a1', attachments: {}, metadata: { tags: ['parameters'] } },
        markdownCell('# Hi'),
      ],
    };
    expect(parseNotebook(JSON.stringify(extra))).toEqual(extra);
  });

  test('may leave out what a run fills in', () => {
    const lean = { nbformat: 4, nbformat_minor: 4, cells: [{ cell_type: 'code', source: ['a\n', 'b'] }] };
    expect(parseNotebook(JSON.stringify(lean))).toEqual({
      ...lean,
      metadata: {},
      cells: [{ cell_type: 'code', source: ['a\n', 'b'], metadata: {}, outputs: [], execution_count: null }],
    });
  });

  test.each(
    briefly<[string, string]>([
      ['not json', 'The notebook is not valid JSON: syntax error'],
      ['{"nbformat": 4,', 'The notebook is not valid JSON: syntax error at position 15 (line 1 column 16)'],
      ['{"nbformat": ', 'The notebook is not valid JSON: syntax error (is it cut off?)'],
      ['[]', 'The notebook must be a JSON object with nbformat, metadata and cells'],
      ['null', 'The notebook must be a JSON object with nbformat, metadata and cells'],
      ['{}', 'The notebook has no "nbformat" field: is it a Jupyter notebook?'],
      [ipynb({ nbformat_minor: 6 }), 'The notebook has nbformat 4.6, but 4.0 to 4.5 are taken'],
      [
        ipynb({ nbformat: 3, nbformat_minor: 0 }),
        'The notebook has nbformat 3, but only nbformat 4 is taken; upgrade it with: jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK',
      ],
      [
        ipynb({ nbformat: 'canary' }),
        'The notebook has another "nbformat", but only nbformat 4 is taken; upgrade it with: jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK',
      ],
      [
        ipynb({ cells: 'none' }),
        'The notebook does not follow nbformat 4: cells: Invalid input: expected array, received string',
      ],
      [
        ipynb({ cells: [codeCell('1'), { ...codeCell('2'), source: 7 }] }),
        'The notebook does not follow nbformat 4: cells.1.source: should be a string or a list of strings',
      ],
      [
        ipynb({ cells: [{ ...codeCell('2'), outputs: [1] }] }),
        'The notebook does not follow nbformat 4: cells.0.outputs: should be a list of objects',
      ],
      [
        ipynb({ cells: [{ cell_type: 'heading', source: '' }] }),
        "The notebook does not follow nbformat 4: cells.0.cell_type: Invalid discriminator value. Expected 'code' | 'markdown' | 'raw'",
      ],
    ]),
  )('that is %s is refused and told why', (_, text, message) => {
    expect(problemOf(text)).toBe(message);
  });

  test('with many faults is told three of them', () => {
    const cells = Array.from({ length: 50 }, () => ({ cell_type: 'code', source: 1 }));
    expect(problemOf(ipynb({ cells })).split(';')).toHaveLength(3);
  });

  test('may write the source of a cell as a text or as lines', () => {
    expect(multiline('a\nb')).toBe('a\nb');
    expect(multiline(['a\n', 'b'])).toBe('a\nb');
    expect(multiline([])).toBe('');
  });
});
