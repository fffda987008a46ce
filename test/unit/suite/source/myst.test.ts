import { describe, expect, test } from 'vitest';
import { multiline } from '../../../../lib/contract/nbformat.ts';
import { mystSource } from '../../../../suite/source/myst.ts';

const cellsOf = (text: string) =>
  mystSource(text).notebook.cells.map(({ cell_type: type, source, metadata }) => ({
    type,
    source: multiline(source),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }));
const codeOf = (text: string) => cellsOf(text).filter(({ type }) => type === 'code');
const fence = (info: string, ...lines: string[]) => ['```' + info, ...lines, '```'].join('\n');

describe('code cells of MyST', () => {
  test('among Markdown, which is cells as well', () => {
    const text = `# Title\n\ntext\n\n${fence('{code-cell} ipython3', 'a = 1', '', 'b = 2')}\n\nmore\n\n+++ {"x": 1}\n\nnew cell\n`;
    expect(cellsOf(text)).toEqual([
      { type: 'markdown', source: '# Title\n\ntext' },
      { type: 'code', source: 'a = 1\n\nb = 2' },
      { type: 'markdown', source: 'more' },
      { type: 'markdown', source: 'new cell', metadata: { x: 1 } },
    ]);
  });

  test.each([
    [[':tags: [raises-exception, x]', 'a'], { tags: ['raises-exception', 'x'] }],
    [[':tags: hide-input, x', ':caption: A text', '', 'a'], { tags: ['hide-input', 'x'], caption: 'A text' }],
    [['---', 'tags: [parameters]', 'more: { n: 1 }', '---', 'a'], { tags: ['parameters'], more: { n: 1 } }],
    [[':tags:', ':  - x', ':n: 1', 'a'], { tags: ['x'], n: 1 }],
    [['a'], undefined],
  ])('with options: %j', (lines, metadata) => {
    expect(cellsOf(fence('{code-cell}', ...lines))).toEqual([
      { type: 'code', source: 'a', ...(metadata && { metadata }) },
    ]);
  });

  test('may stand beside raw cells, and breaks say something to people, too', () => {
    const text = `${fence('{raw-cell}', ':raw_mimetype: text/html', '', '<b>b</b>')}\n\n+++ a title\n\ntext\n`;
    expect(cellsOf(text)).toEqual([
      { type: 'raw', source: '<b>b</b>', metadata: { raw_mimetype: 'text/html' } },
      { type: 'markdown', source: 'text' },
    ]);
  });

  test('make samples what is only shown', () => {
    const text = `${fence('{code-cell} python', 'a')}\n\n${fence('python', 'b')}\n`;
    expect(codeOf(text)).toEqual([{ type: 'code', source: 'a' }]);
  });

  test('whose options are wrong tell where', () => {
    expect(() => mystSource(`text\n\n${fence('{code-cell}', ':tags: [a', 'b')}`)).toThrow(
      /YAML in the file is not valid.*line 4/s,
    );
  });
});

describe('samples of a page without them', () => {
  test.each(['python', 'py', 'python3', 'ipython3', 'Python'.toLowerCase(), 'python title="x"'])(
    'are its fences of %s',
    (info) => {
      expect(codeOf(`text\n\n${fence(info, 'a = 1')}\n`)).toMatchObject([{ source: 'a = 1' }]);
    },
  );

  test.each(['', 'pytb', 'pycon', 'bash', 'text python', '{note}', 'python {.noeval}'])(
    'are not its fences of "%s"',
    (info) => {
      expect(codeOf(`text\n\n${fence(info, 'a = 1')}\n`)).toEqual([]);
    },
  );

  test('with tags, in lists and quotes too, but not in comments', () => {
    const text = `- item

  ${fence('python tags=["raises-exception"]', 'if a:', '    b').replaceAll('\n', '\n  ')}

> ${fence('python', 'c').replaceAll('\n', '\n> ')}

<!--
${fence('python', 'd')}
-->

${'`'.repeat(4)}markdown
${fence('python', 'e')}
${'`'.repeat(4)}
`;
    expect(codeOf(text)).toEqual([
      { type: 'code', source: 'if a:\n    b', metadata: { tags: ['raises-exception'] } },
      { type: 'code', source: 'c' },
    ]);
  });
});

describe('the file', () => {
  const page = `---
kernelspec:
  name: lsst
file_format: mystnb
---
# Title

${fence('{code-cell}', ':tags: [x]', '', 'a = 1', 'b / 0')}

text

${fence('{code-cell}', 'c = 3')}
`;

  test('says which kernel it wants', () => {
    expect(mystSource(page).notebook.metadata).toEqual({ kernelspec: { name: 'lsst' } });
    expect(mystSource('---\n- a list\n---\n').notebook.metadata).toEqual({});
    expect(mystSource('---\njupyter: {kernelspec: {name: r}}\n---\n').notebook.metadata).toEqual({
      kernelspec: { name: 'r' },
    });
  });

  test('that jupytext has written has no samples', () => {
    const header = '---\njupytext: { text_representation: { format_name: myst } }\n---\n';
    expect(codeOf(`${header}${fence('python', 'a')}\n`)).toEqual([]);
  });

  test('knows the lines of its cells', () => {
    const source = mystSource(page);
    const lines = page.split('\n');
    const at = (cell: number, line?: number) => lines[(source.lineOf(cell, line) as number) - 1];
    expect([at(0), at(1), at(1, 2), at(2), at(3)]).toEqual(['# Title', 'a = 1', 'b / 0', 'text', 'c = 3']);
  });

  test('may have Windows line ends, and no end at all', () => {
    const source = mystSource(page.replaceAll('\n', '\r\n').replace(/```\r\n$/, ''));
    expect(source.lineOf(1, 2)).toBe(page.split('\n').indexOf('b / 0') + 1);
    expect(source.notebook.cells).toHaveLength(4);
  });

  test('cannot unfold references into more than fits', () => {
    const levels = Array.from({ length: 12 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(12)}]`);
    expect(() => mystSource(`---\nl0: &l0 [x]\n${levels.join('\n')}\n---\n`)).toThrow(/YAML.*not valid/s);
  });
});
