import MarkdownIt from 'markdown-it';
import { describe, expect, test } from 'vitest';
import { compareReports } from '../../../suite/compare.ts';
import { markdownSummary } from '../../../suite/reports/markdown.ts';
import { XSS_CORPUS } from '../../pages/support/xss-corpus.ts';
import { NIGHT_BEFORE, NIGHTLY, result, suiteReport } from '../../support/suite-report.ts';

/** As GitHub reads it, before it sanitizes. */
const rendered = (markdown: string): string => new MarkdownIt({ html: true, linkify: true }).render(markdown);

const failing = (text: string) => ({
  failure: { reason: 'exception', name: text, message: text, traceback: [text] },
  warnings: [text],
  job_url: `https://example.org/${text}`,
});

describe('the summary in Markdown', () => {
  const summary = markdownSummary(NIGHTLY, compareReports(NIGHTLY, NIGHT_BEFORE));
  const html = rendered(summary);

  test('begins with the verdict and the counts', () => {
    expect(summary).toMatch(/^## ❌ <code>Nightly tutorials<\/code>\n/);
    expect(summary).toContain(
      '**3 failed, 1 passed unexpectedly, 1 could not be run, 1 cancelled, 1 skipped, 1 failed as expected, 2 passed** in 2 min 30 s',
    );
    expect(markdownSummary(suiteReport([result('a', 'passed')]))).toContain('## ✅ ');
    expect(markdownSummary(suiteReport([result('a', 'skipped')]))).toContain('## ⚠️ ');
    expect(markdownSummary(suiteReport([]))).toContain('**no notebooks**');
  });

  test('has one row for each notebook, those that need somebody first', () => {
    const names = [...html.matchAll(/<tr>\n<td><code>(.*?)<\/code><\/td>/g)].map(([, name]) => name);
    expect(names).toHaveLength(NIGHTLY.results.length);
    expect(names.slice(0, 4)).toEqual([
      'tutorials/02-light-curves.ipynb',
      'tutorials/03-photometry.ipynb',
      'tutorials/04-cutouts.ipynb',
      'how-to/no-longer-broken.ipynb',
    ]);
    expect(html).toContain(
      '<code>KeyError: \'u\'</code> · cell 5, line 2 (line 112 of the file) · <a href="https://data.example.org/noteburst/v1/notebooks/a2">job</a></td>',
    );
  });

  test('has tracebacks without colours, and differences, and warnings', () => {
    expect(html).toContain('----&gt; 2 flux[&quot;u&quot;]');
    expect(html).toMatch(/<code class="language-diff">[^<]*\n\+median magnitude: 21\.39\n/);
    expect(html).toContain('<code>Cell 3: some output was cut</code>');
    expect(summary).not.toContain('\u001B');
  });

  test('tells what has changed', () => {
    expect(html).toContain('Since the run of 2026-11-20 10:00:00 UTC');
    expect(html).toContain('Newly failing (2): <code>tutorials/02-light-curves.ipynb</code>, ');
    expect(html).toContain('Slower (1): <code>how-to/query [small].ipynb</code> 20 s → 47.2 s');
    expect(markdownSummary(NIGHTLY, compareReports(NIGHTLY, NIGHTLY))).toContain('Still');
    const passed = suiteReport([result('a', 'passed')]);
    expect(markdownSummary(passed, compareReports(passed, passed))).toContain(': no changes.');
  });

  test('takes whatever notebooks say as text', () => {
    const hostile = [
      ...XSS_CORPUS.map(({ text }) => text('https://elsewhere.example')),
      'a | b \\| c \\\\| d `e` ``f`` ```g```',
      '@octocat #1 GH-1 https://elsewhere.example www.elsewhere.example me@elsewhere.example',
      '</details></summary></code>\n\n# Heading\n\n```\n````\n| a |\n| - |\n',
      '**b** _i_ ~~s~~ [a](https://elsewhere.example) ![a](x) &lt; &#60; :smile: $x$ <!--',
    ];
    const report = suiteReport(
      hostile.flatMap((text, n) => [
        result(`${n} ${text}`, 'failed', failing(text)),
        result(`${n}! ${text}`, 'passed'),
      ]),
      { suite: hostile.at(-2) as string, revision: hostile.at(-1) as string },
    );
    const made = rendered(markdownSummary(report));
    const tags = new Set([...made.matchAll(/<\/?[a-z!][^\s>]*/gi)].map(([tag]) => tag.replace(/^<\/?/, '')));
    expect([...tags].toSorted()).toEqual([
      'a',
      'code',
      'details',
      'h2',
      'li',
      'p',
      'pre',
      'strong',
      'summary',
      'table',
      'tbody',
      'td',
      'th',
      'thead',
      'tr',
      'ul',
    ]);
    const rows = made.split('<tr>').slice(1);
    const widths = new Set(rows.map((row) => row.match(/<t[dh]>/g)?.length));
    expect([...widths]).toEqual([4, 3]);
    const attributes = new Set(
      [...made.matchAll(/<\w+ ([^>]*)>/g)].map(([, all]) =>
        all?.replace(/^href="https:\/\/example\.org\/[^"<>\s]*"$/, 'job'),
      ),
    );
    expect(attributes).toEqual(new Set(['class="language-text"', 'job']));
    // Outside of code nothing of it is left, where GitHub would look for names and addresses.
    const prose = made.replaceAll(/<code[^>]*>[^<]*<\/code>|<[^>]*>/g, '');
    expect(prose).not.toMatch(/octocat|elsewhere|RUN|canary/);
  });

  test('shows signs as they are', () => {
    const name = 'a|b\\|`c` *d* <e> & é 星 😀.ipynb';
    const made = rendered(markdownSummary(suiteReport([result(name, 'passed')])));
    expect(made).toContain('<code>a|b\\|`c` *d* &lt;e&gt; &amp; é 星 😀.ipynb</code>');
  });

  test.for([undefined, 'javascript:alert(1)', 'file:///etc/passwd', 'no url'])(
    'does not link to %s',
    (job_url) => {
      const report = suiteReport([result('a', 'failed', job_url === undefined ? {} : { job_url })]);
      expect(markdownSummary(report)).not.toContain('<a');
    },
  );

  test('leaves tracebacks out where they are too many, and says so', () => {
    const traceback = Array.from({ length: 500 }, (_, n) => `line ${n} \u2603 ${'x'.repeat(60)}`);
    const failure = { reason: 'exception', message: 'E', traceback };
    const many = Array.from({ length: 300 }, (_, n) => result(`${n}.ipynb`, 'failed', { failure }));
    const text = markdownSummary(suiteReport(many));
    expect(Buffer.byteLength(text)).toBeLessThan(1024 * 1024);
    const shown = text.match(/<summary>/g)?.length ?? 0;
    expect(shown).toBeGreaterThan(50);
    expect(text).toContain(`Tracebacks of ${300 - shown} more notebooks are in the other reports.`);
    expect(rendered(text)).toContain('line 499 ');
  });

  test('leaves rows out where they are too many, and says so, however long names and messages are', () => {
    const long = '|'.repeat(2_000);
    const many = (verdict: 'passed' | 'failed', sign: string) =>
      Array.from({ length: 5_000 }, (_, n) =>
        result(`${n}${sign}${long}`, verdict, { ...failing(long), seconds: n, warnings: [long] }),
      );
    const report = suiteReport([...many('passed', 'a'), ...many('failed', 'b')], {
      suite: long,
      revision: long,
    });
    const before = [...many('failed', 'a'), ...many('passed', 'b'), ...many('passed', 'c')];
    const text = markdownSummary(report, compareReports(report, suiteReport(before)));
    expect(Buffer.byteLength(text)).toBeLessThan(1000 * 1024);
    expect(text).toMatch(/\n\d+ more are in the other reports\./);
    expect(text).toContain('\n- and 9950 more');
    expect(text).toMatch(/- Fixed \(5000\): [^\n]* and 4980 more\n/);
  });
});
