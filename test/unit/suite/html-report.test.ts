import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { compareReports } from '../../../suite/compare.ts';
import { htmlReport } from '../../../suite/reports/html/html-report.ts';
import { NIGHT_BEFORE, NIGHTLY, result, suiteReport } from '../../support/suite-report.ts';

/** The body of the table that belongs to a notebook. */
const rowOf = (page: string, name: string): string =>
  page.match(/<tbody [^]*?<\/tbody>/g)?.find((row) => row.includes(`class="name">${name}</th>`)) ?? '';

describe('the report as a page', () => {
  const page = htmlReport(NIGHTLY, compareReports(NIGHTLY, NIGHT_BEFORE));

  test('has the verdict, the counts and where it comes from', () => {
    expect(page).toContain('<title>Failed: Nightly tutorials · Noteburst</title>');
    expect(page).toContain('· https://data.example.org/noteburst · 4f0c2b7d9a61</small>');
    expect(page).toContain('3 failed, 1 passed unexpectedly, 1 could not be run,');
    expect(htmlReport(suiteReport([result('a', 'passed')]))).toContain('<title>Passed: ');
    expect(htmlReport(suiteReport([result('a', 'passed'), result('b', 'error')]))).toContain(
      '<title>Incomplete: ',
    );
    expect(htmlReport(suiteReport([]))).toContain('None were found.');
  });

  test('shows of a failure what, where, the traceback with its colours, and links', () => {
    const row = rowOf(page, 'tutorials/02-light-curves.ipynb');
    expect(row).toContain('<p class="what">KeyError: &#39;u&#39;</p>');
    expect(row).toContain('<p>In cell 5, line 2 (line 112 of the file)</p>');
    expect(row).toContain('<span class="ansi-red">KeyError</span>');
    expect(row).toContain('href="./executed/tutorials/02-light-curves.ipynb"');
    expect(row).toContain('href="https://data.example.org/noteburst/v1/notebooks/a2"');
    expect(row).toContain('8.1 s <small class="quiet">waited 2.5 s</small>');
  });

  test('shows what differs line by line, warnings, attempts, and the time of the run before', () => {
    expect(rowOf(page, 'tutorials/03-photometry.ipynb')).toContain(
      '<span class="del">-median magnitude: 21.44</span>\n<span class="add">+median magnitude: 21.39</span>\n',
    );
    const slow = rowOf(page, 'how-to/query [small].ipynb');
    expect(slow).toContain('<li>Cell 3: some output was cut</li>');
    expect(slow).toContain('47.2 s <small class="quiet">was 20 s · 2 attempts</small>');
    expect(rowOf(page, 'how-to/no-longer-broken.ipynb')).toContain(
      '<p class="what">It passed, though it is expected to fail: waits for DM-12345</p>\n',
    );
    expect(rowOf(page, 'how-to/deprecated-api.ipynb')).toContain(
      '<p>Expected to fail: the old API goes with release 31</p>',
    );
    expect(rowOf(page, 'demos/later.ipynb')).toContain('not run');
  });

  test('links what has changed to its row', () => {
    const [, id] = page.match(/<h3>Fixed [^]*?<a href="#([^"]*)">tutorials\/01-first-light/) ?? [];
    expect(rowOf(page, 'tutorials/01-first-light.ipynb')).toContain(`id="${id}"`);
    expect(page).toContain('<li>how-to/removed.ipynb</li>');
    expect(htmlReport(NIGHTLY)).not.toContain('Since the run of');
    const same = suiteReport([result('a', 'passed')]);
    expect(htmlReport(same, compareReports(same, same))).toContain('Nothing has changed.');
  });

  test('has a policy that lets in its own style and script only', () => {
    const sha256 = (tag: string) => {
      const [, text] = page.match(new RegExp(`<${tag}>([^]*?)</${tag}>`)) ?? [];
      return `sha256-${hash('sha256', text ?? '', 'base64')}`;
    };
    const [, policy = ''] = page.match(/<meta http-equiv="Content-Security-Policy" content="([^"]*)">/) ?? [];
    expect(policy.replaceAll('&#39;', "'").split('; ')).toEqual([
      "default-src 'none'",
      `style-src '${sha256('style')}'`,
      `script-src '${sha256('script')}'`,
      'img-src data:',
      "form-action 'none'",
      "base-uri 'none'",
    ]);
    expect(page).not.toMatch(/ (?:style|on\w+)=/);
    expect(page.match(/(?:src|srcset|poster|action)=/g)).toBeNull();
  });

  test.for([
    ['javascript:alert(1)', './javascript%3Aalert(1)'],
    ['//elsewhere.example/x', './elsewhere.example/x'],
    ['https://elsewhere.example/x', './https%3A/elsewhere.example/x'],
    ['a b/c#d?e%.ipynb', './a%20b/c%23d%3Fe%25.ipynb'],
    ['"><script>\uD800', './%22%3E%3Cscript%3E%EF%BF%BD'],
  ] as const)('links the executed notebook %s below its own folder', ([executed, href]) => {
    expect(htmlReport(suiteReport([result('a', 'passed', { executed })]))).toContain(`href="${href}"`);
  });

  test.for(['javascript:alert(1)', 'data:text/html,x', 'x'])('does not link to the job %s', (job_url) => {
    expect(htmlReport(suiteReport([result('a', 'passed', { job_url })]))).not.toContain('>Job</a>');
  });

  test('stays small with many long tracebacks', () => {
    const failure = { reason: 'exception', message: 'E', traceback: ['x'.repeat(1_000_000)] };
    const many = Array.from({ length: 100 }, (_, n) => result(`${n}.ipynb`, 'failed', { failure }));
    const text = htmlReport(suiteReport(many));
    expect(text.length).toBeLessThan(5_000_000);
    expect(text).toContain('characters are left out');
    expect(text).not.toContain('<details open>');
  });
});
