import { expect, test } from 'vitest';
import { InvalidNotebookError } from '../../../../lib/contract/nbformat.ts';
import { isSource, readSource } from '../../../../suite/source/source.ts';

test.each([
  ['a/b.ipynb', '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', 0],
  ['a/b.py', 'a\n# %%\nb', 2],
  ['a/b.md', 'text\n```python\na\n```\ntext', 3],
])('the extension says how a file is read: %s', (path, text, cells) => {
  expect(isSource(path)).toBe(true);
  expect(readSource(path, text).notebook.cells).toHaveLength(cells);
});

test.each(['a.txt', 'md', 'a.ipynb/x', 'constructor', 'a.constructor'])(
  'other files are none: %s',
  (path) => {
    expect(isSource(path)).toBe(false);
    expect(() => readSource(path, '')).toThrow(TypeError);
  },
);

test.each(['a.ipynb', 'a.py', 'a.md'])('what stands for a file of Git LFS is no notebook: %s', (path) => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';
  expect(() => readSource(path, pointer)).toThrow(InvalidNotebookError);
  expect(() => readSource(path, pointer)).toThrow(/Git LFS/);
});

/** What would take hours if a file were looked at again for each of its parts. */
test.each([
  ['a.py', `# %% [md]\n${'# ```x\n'.repeat(100_000)}`],
  ['a.py', `# %% ${'a=[ '.repeat(100_000)}`],
  ['a.py', `# %%${' '.repeat(300_000)}a\u2028b`],
  ['a.py', `# %% [md]\n"""${' '.repeat(300_000)}"""`],
  ['a.py', `# %%\n${'# '.repeat(300_000)}x = ${' '.repeat(300_000)}`],
  ['a.md', `+++${' '.repeat(300_000)}a\u2028b`],
  ['a.md', `\`\`\`python ${'a=[ '.repeat(100_000)}\n\`\`\``],
])('a file that is made to be slow is read soon: %s %#', (path, text) => {
  const begun = performance.now();
  readSource(path, text);
  expect(performance.now() - begun).toBeLessThan(5_000);
});
