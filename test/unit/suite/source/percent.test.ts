import { describe, expect, test } from 'vitest';
import { multiline } from '../../../../lib/contract/nbformat.ts';
import { percentSource } from '../../../../suite/source/percent.ts';

/** The tier cli has the same beside jupytext itself. */
const cellsOf = (text: string) =>
  percentSource(text).notebook.cells.map(({ cell_type: type, source, metadata }) => ({
    type,
    source: multiline(source),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }));
const code = (source: string, metadata?: object) => ({ type: 'code', source, ...(metadata && { metadata }) });

describe('cells', () => {
  test('begin with a marker, whatever follows it', () => {
    expect(cellsOf('import a\n# %%\nb = 1\n\n\n#%%\nc = 2\n# %% A title\n  # %%\nd = 3\n')).toEqual([
      code('import a'),
      code('b = 1'),
      code('c = 2'),
      code('d = 3'),
    ]);
  });

  test('a script without markers is one', () => {
    expect(cellsOf('# A script\nimport a\n\nprint(a)\r\n')).toEqual([
      code('# A script\nimport a\n\nprint(a)'),
    ]);
    expect(cellsOf('\n \n')).toEqual([]);
  });

  test('are text, as comments or as one string', () => {
    const text = `# %% [markdown]
# # Title
#
# text
# %% [md] tags=["x"]
"""
One
two
"""
# %% [raw]
# as it is
# %% [markdown]
r'''$x$'''
# %%
a = 1`;
    expect(cellsOf(text)).toEqual([
      { type: 'markdown', source: '# Title\n\ntext' },
      { type: 'markdown', source: 'One\ntwo', metadata: { tags: ['x'] } },
      { type: 'raw', source: 'as it is' },
      { type: 'markdown', source: '$x$' },
      code('a = 1'),
    ]);
  });

  test.each([
    ['tags=["parameters"]', { tags: ['parameters'] }],
    ['A title tags=["a", "b"] name="x = y"', { tags: ['a', 'b'], name: 'x = y' }],
    ['{"tags": ["raises-exception"], "more": {"n": 1}}', { tags: ['raises-exception'], more: { n: 1 } }],
    ['tags="skip-execution"', { tags: ['skip-execution'] }],
    ["tags=['a', 'b'] collapsed=True", { tags: ['a', 'b'], collapsed: true }],
    ['jupyter={"source_hidden": true}', { jupyter: { source_hidden: true } }],
    ['tags=[not json', undefined],
    ['a = 1 in words only = x', { a: 1 }],
  ])('are told by their first line: %s', (says, metadata) => {
    expect(cellsOf(`# %% ${says}\na`)).toEqual([code('a', metadata)]);
  });

  test.each([
    ['"""\n# %% no cell\n"""'],
    ["x = '''it's # no comment\n# %%\n'''"],
    ['x = """ \\""" \n# %%\n"""'],
  ])('do not begin within a string: %j', (text) => {
    expect(cellsOf(text)).toEqual([code(text)]);
  });

  test.each([['x = "#" # """'], ["# don't"], ["x = \"'''\""], ['x = """a"""'], ["y = ''"]])(
    'begin behind what is no open string: %j',
    (line) => {
      expect(cellsOf(`${line}\n# %%\nb`)).toEqual([code(line), code('b')]);
    },
  );
});

describe('what is no Python is a comment', () => {
  test('in the cells of another language', () => {
    const text = '# %% magic_args="-i x" language="R"\n# plot(x)\n#\n# # comment';
    expect(cellsOf(text)).toEqual([code('%%R -i x\nplot(x)\n\n# comment')]);
    expect(percentSource(`a\n${text}`).lineOf(1, 2)).toBe(3);
  });

  test.each([
    ['tags=["active-ipynb"]', { type: 'code', source: 'a = 1' }],
    ['active="ipynb"', { type: 'code', source: 'a = 1' }],
    ['run_control={"frozen": true}', { type: 'code', source: 'a = 1' }],
    ['tags=["active-ipynb-py"]', { type: 'code', source: '# a = 1' }],
    ['active="py"', { type: 'raw', source: '# a = 1' }],
  ])('in cells that are not for scripts: %s', (says, cell) => {
    expect(cellsOf(`# %% ${says}\n# a = 1`)).toMatchObject([cell]);
  });

  test('and the fences in a text, unless nothing ends them', () => {
    expect(cellsOf('# %% [md]\n# ```mermaid\n# %% c\n# ```\n# %%\na')).toHaveLength(2);
    expect(cellsOf('# %% [md]\n# ```mermaid\n# %%\na')).toHaveLength(2);
  });
});

describe('magics are comments of the script', () => {
  test.each([
    ['# %matplotlib inline\nimport a', '%matplotlib inline\nimport a'],
    ['# !ls -l', '!ls -l'],
    ['# %%time\na = 1', '%%time\na = 1'],
    ['# %%bash\n# ls', '%%bash\n# ls'],
    ['# x = !ls \\\n#   -l\n# y', 'x = !ls \\\n  -l\n# y'],
    ['"""\n# %time\n"""', '"""\n# %time\n"""'],
    ['# cd is a word\n# why?', '# cd is a word\n# why?'],
    ['# # %matplotlib inline', '# %matplotlib inline'],
    ['# 100 % of it\n# ! really', '# 100 % of it\n! really'],
  ])('%j', (script, source) => {
    expect(cellsOf(`# %%\n${script}`)).toEqual([code(source)]);
  });
});

describe('the file', () => {
  const script = `# ---
# jupyter:
#   kernelspec:
#     name: lsst
#     display_name: LSST
# ---

# %%
a = 1

# %% [markdown]
# text

# %% tags=["x"]

b = 2
c / 0
`;

  test('says which kernel it wants', () => {
    expect(percentSource(script).notebook.metadata).toEqual({
      kernelspec: { name: 'lsst', display_name: 'LSST' },
    });
  });

  test('may be a program', () => {
    const program = `#!/usr/bin/env python\n# coding: utf-8\n${script}`;
    expect(percentSource(program).notebook).toEqual(percentSource(script).notebook);
    expect(percentSource(program).lineOf(0)).toBe((percentSource(script).lineOf(0) as number) + 2);
  });

  test('knows the lines of its cells, empty ones in front of them left out', () => {
    const source = percentSource(script);
    const lines = script.split('\n');
    const at = (cell: number, line?: number) => lines[(source.lineOf(cell, line) as number) - 1];
    expect([at(0), at(1), at(2), at(2, 1), at(2, 2)]).toEqual(['a = 1', '# text', 'b = 2', 'b = 2', 'c / 0']);
    expect(at(2, 99)).toBe('c / 0');
    expect(source.lineOf(3)).toBeUndefined();
  });

  test('that is wrong tells where', () => {
    expect(() => percentSource('# ---\n# a: [\n# ---\n')).toThrow(/YAML in the file is not valid.*line 2/s);
  });

  test('is the same text as what is submitted', () => {
    const { ipynb, notebook } = percentSource(script);
    expect(JSON.parse(ipynb)).toEqual(notebook);
  });
});
