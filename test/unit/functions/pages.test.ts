import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Output } from '../../../lib/contract/nbformat.ts';
import type { StoredEvent } from '../../../lib/queue/live-events.ts';
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { checkNotebook } from '../../../lib/contract/nbformat.ts';
import { markup } from '../../../lib/html/markup.ts';
import { liveCells } from '../../../functions/status/pages/live-notebook.ts';
import { ansiToHtml } from '../../../lib/html/ansi.ts';
import { markdownToHtml } from '../../../functions/status/pages/render/markdown.ts';
import { outputsToHtml } from '../../../functions/status/pages/render/outputs.ts';
import { durationText } from '../../../lib/html/time.ts';
import { codeCell, notebook } from '../../support/notebooks.ts';

const shown = (...outputs: unknown[]): string =>
  outputsToHtml(
    outputs.map((output) => ({ output: output as Output })),
    Infinity,
  ).text;
const bundle = (data: object): string => shown({ output_type: 'display_data', data, metadata: {} });

describe('a template', () => {
  test('takes text as text, and HTML as HTML', () => {
    expect(markup`<a title="${'"\'&<'}">${['<b>', markup`<i>`, 1, undefined, false]}</a>`.text).toBe(
      '<a title="&quot;&#39;&amp;&lt;">&lt;b&gt;<i>1</a>',
    );
  });
});

describe('text of terminals', () => {
  test('keeps its hues, of 8, 256 and 16 million colours, and its weight', () => {
    expect(
      ansiToHtml('\u001B[31ma\u001B[0m\u001B[38;5;28;01mb\u001B[0m\u001B[38;2;9;9;250m<\u001B[0m').text,
    ).toBe(
      '<span class="ansi-red">a</span><span class="ansi-green ansi-bold">b</span><span class="ansi-blue">&lt;</span>',
    );
  });

  test('with very many sequences is shown without them', () => {
    expect(ansiToHtml('\u001B[1mx'.repeat(2_001)).text).toBe('x'.repeat(2_001));
  });

  test('shows of an overwritten line its last state', () => {
    expect(
      shown({ output_type: 'stream', name: 'stdout', text: ['10 %\r50 %', '\r100 %\r\nend'] }),
    ).toContain('>100 %\nend</pre>');
  });
});

describe('Markdown', () => {
  test('shows the images that a cell brings along, and formulas as they were written', () => {
    const attachments = { 'my plot.png': { 'image/png': 'iVBO\nRw==' } };
    const { text } = markdownToHtml('![p](<attachment:my plot.png>) $a_b_c$ for $5 and $6', attachments);
    expect(text).toContain('src="data:image/png;base64,iVBORw=="');
    expect(text).toContain('<code class="math">a_b_c</code> for $5 and $6');
  });

  test('opens links elsewhere only, and loads no image', () => {
    const { text } = markdownToHtml('[a](https://example.org) [b](#x) ![c](https://example.org/c.png)');
    expect(text).toContain(
      '<a href="https://example.org" target="_blank" rel="noopener noreferrer">a</a> <a>b</a>',
    );
    expect(text).toContain('[image: c]');
  });
});

describe('an output', () => {
  test('is shown in its best form that needs no script', () => {
    expect(bundle({ 'text/html': '<b>x</b>', 'text/plain': 'y' })).toContain('<b>x</b>');
    const drawn = bundle({
      'text/html': '<div id="p"></div><script>draw()</script>',
      'image/png': 'iVBORw==',
    });
    expect(drawn).toContain('<img src="data:image/png;base64,iVBORw=="');
    expect(drawn).toContain('interactive');
    expect(bundle({ 'application/vnd.jupyter.widget-view+json': {} })).toContain('interactive');
    expect(bundle({ 'application/json': { a: 1 } })).toContain('{\n &quot;a&quot;: 1\n}');
    expect(bundle({ 'image/png': 'x" onerror=', 'text/plain': 'y' })).toContain('>y</pre>');
  });

  test('that is very long loses its middle', () => {
    const html = shown({ output_type: 'stream', name: 'stdout', text: `a${'-'.repeat(200_000)}b` });
    expect(html.length).toBeLessThan(70_000);
    expect(html).toContain('134,466 characters are not shown here');
    expect(html).toMatch(/>a-.*-b<\/pre>/s);
  });

  test('of very many is counted only, and so is what takes too long', () => {
    const one = { output: { output_type: 'stream' as const, name: 'stdout' as const, text: 'x' } };
    expect(
      outputsToHtml(
        Array.from({ length: 502 }, () => one),
        Infinity,
      ).text,
    ).toContain('2 more outputs');
    expect(outputsToHtml([one], 0).text).toContain('1 more outputs');
  });

  test('of any shape is shown somehow, and never as markup of its own', () => {
    const evil = fc.constantFrom(
      '<script>',
      '<img onerror=x>',
      '\u001B[31m<b onclick=x>',
      '"><svg onload=x>',
    );
    const value = fc.anything({
      values: [evil, fc.string(), fc.integer(), fc.constant(null)],
      withNullPrototype: false,
    });
    const types = fc.constantFrom(
      'text/html',
      'text/markdown',
      'image/svg+xml',
      'image/png',
      'text/plain',
      'x',
    );
    const output = fc.record(
      {
        output_type: fc.oneof(fc.constantFrom('stream', 'error', 'display_data', 'execute_result'), evil),
        name: value,
        text: value,
        data: fc.oneof(fc.dictionary(types, value), value),
        ename: value,
        evalue: value,
        traceback: value,
      },
      { requiredKeys: ['output_type'] },
    );
    fc.assert(
      fc.property(fc.array(output, { maxLength: 3 }), (outputs) => {
        // As they come: from JSON.
        const html = shown(...(JSON.parse(JSON.stringify(outputs)) as unknown[]));
        expect(html).not.toMatch(/<script|<svg|<[^>]*\son\w+\s*=/i);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a notebook that runs', () => {
  const cells = checkNotebook(notebook({ cells: [codeCell('a'), codeCell('b')] }));
  const after = (...events: LiveEvent[]) =>
    liveCells(
      cells,
      events.map((event, n): StoredEvent => ({ id: `${1_000 + n * 400}-0`, event })),
    );
  const begun = (cell_index: number): LiveEvent => ({
    type: 'cell_started',
    cell_index,
    cells_done: 0,
    cells_total: 2,
  });
  const ended = (cell_index: number): LiveEvent => ({
    type: 'cell_finished',
    cell_index,
    cells_done: 1,
    cells_total: 2,
  });
  const output = (cell_index: number, text: string, extra = {}): LiveEvent => ({
    type: 'output',
    cell_index,
    output: { output_type: 'stream', name: 'stdout', text },
    ...extra,
  });
  const texts = (index: number, ...events: LiveEvent[]) =>
    after(...events)[index]?.outputs.map((shown) => (shown.output as { text: string }).text);

  test('shows what each cell does, and how long it took', () => {
    const [first, second] = after(begun(0), ended(0), begun(1));
    expect(first).toMatchObject({ state: 'done', durationMs: 400 });
    expect(second).toMatchObject({ state: 'running', durationMs: undefined });
    expect(after()[0]).not.toHaveProperty('state');
  });

  test('joins text of one stream, and clears outputs now or with the next', () => {
    expect(texts(0, begun(0), output(0, 'a'), output(0, 'b'))).toEqual(['ab']);
    const cleared = (wait: boolean): LiveEvent => ({ type: 'outputs_cleared', cell_index: 0, wait });
    expect(texts(0, begun(0), output(0, 'a'), cleared(false))).toEqual([]);
    expect(texts(0, begun(0), output(0, 'a'), cleared(true))).toEqual(['a']);
    expect(texts(0, begun(0), output(0, 'a'), cleared(true), output(0, 'b'))).toEqual(['b']);
  });

  test('updates displays in every cell, and forgets an earlier attempt', () => {
    const shownAs = { display_id: 'd' };
    expect(
      texts(0, begun(0), output(0, 'a', shownAs), begun(1), output(1, 'b', { ...shownAs, update: true })),
    ).toEqual(['b']);
    expect(texts(0, begun(0), output(0, 'a'), { type: 'job_started', attempt: 2 })).toEqual([]);
  });
});

test('durations are told in words', () => {
  const told = [0, 340, 1_240, 60_000, 125_000, 3_600_000, 3_780_000].map(durationText);
  expect(told).toEqual(['0 ms', '340 ms', '1.2 s', '1 min', '2 min 5 s', '1 h', '1 h 3 min']);
});
