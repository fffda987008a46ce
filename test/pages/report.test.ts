import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, expect, test } from 'vitest';
import { compareReports } from '../../suite/compare.ts';
import { htmlReport } from '../../suite/reports/html/html-report.ts';
import { NIGHT_BEFORE, NIGHTLY, result, suiteReport } from '../support/suite-report.ts';
import { browserOfFile, describeInBrowser } from './support/browser.ts';
import { faultsOf, LOOKS, shoot } from './support/look.ts';
import { Elsewhere, watched } from './support/watched.ts';
import { XSS_CORPUS } from './support/xss-corpus.ts';

const browser = browserOfFile();
const folder = mkdtempSync(join(tmpdir(), 'report-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The report of a night as its reader opens it: as a file. */
async function opened(
  stack: AsyncDisposableStack,
  options?: BrowserContextOptions,
  html = htmlReport(NIGHTLY, compareReports(NIGHTLY, NIGHT_BEFORE)),
  prepare: (context: BrowserContext) => Promise<void> = () => Promise.resolve(),
): Promise<Page> {
  const path = join(folder, `${crypto.randomUUID()}.html`);
  writeFileSync(path, html);
  const context = await browser.open(options);
  stack.defer(() => context.close());
  await prepare(context);
  const page = await context.newPage();
  await page.goto(pathToFileURL(path).href);
  return page;
}

const shownNames = (page: Page): Promise<string[]> => page.locator('tbody.case:visible th').allTextContents();
const ALL = NIGHTLY.results.length;

describeInBrowser("a suite's report", () => {
  test.for(Object.entries(LOOKS))(
    'is accessible, and no wider than the screen: %s',
    async ([look, options]) => {
      await using stack = new AsyncDisposableStack();
      const page = await opened(stack, options);
      expect(await faultsOf(page)).toEqual([]);
      expect(await shoot(page, `report-${look}`, options.viewport.width)).toBeLessThanOrEqual(0);
    },
  );

  test('shows everything without scripts, and filters by verdict', async () => {
    await using stack = new AsyncDisposableStack();
    const page = await opened(stack, { javaScriptEnabled: false });
    expect(await shownNames(page)).toHaveLength(ALL);
    expect(await page.getByText('2 flux[').isVisible()).toBe(true);
    expect(await page.getByRole('searchbox').isVisible()).toBe(false);
    await page.getByLabel('Failed 3').uncheck();
    expect(await shownNames(page)).toHaveLength(ALL - 3);
    expect(await page.getByText('2 flux[').isVisible()).toBe(false);
  });

  test('is filtered by words and verdict, and says how many are left', async () => {
    await using stack = new AsyncDisposableStack();
    const page = await opened(stack);
    await page.getByRole('searchbox').fill('how-to');
    expect(await shownNames(page)).toEqual([
      'how-to/no-longer-broken.ipynb',
      'how-to/deprecated-api.ipynb',
      'how-to/query [small].ipynb',
    ]);
    expect(await page.getByRole('status').textContent()).toBe(`3 of ${ALL} are shown`);
    await page.getByLabel('Passed 2').uncheck();
    expect(await page.getByRole('status').textContent()).toBe(`2 of ${ALL} are shown`);
    await page.getByRole('searchbox').fill('MEDIAN magnitude');
    expect(await shownNames(page)).toEqual(['tutorials/03-photometry.ipynb']);
    await page.getByRole('searchbox').fill('nowhere');
    expect(await shownNames(page)).toEqual([]);

    // A link to what is filtered away shows it again.
    await page.getByRole('link', { name: 'tutorials/01-first-light.ipynb' }).click();
    await page.getByRole('rowheader', { name: 'tutorials/01-first-light.ipynb' }).waitFor();
    expect(await shownNames(page)).toHaveLength(ALL);
  });

  test('is sorted with the keyboard', async () => {
    await using stack = new AsyncDisposableStack();
    const page = await opened(stack);
    expect((await shownNames(page))[0]).toBe('tutorials/02-light-curves.ipynb');
    const ran = page.getByRole('columnheader', { name: 'Ran' });
    await ran.getByRole('button').focus();
    await page.keyboard.press('Enter');
    expect((await shownNames(page)).slice(0, 2)).toEqual([
      'tutorials/04-cutouts.ipynb',
      'how-to/query [small].ipynb',
    ]);
    expect(await ran.getAttribute('aria-sort')).toBe('descending');
    await page.getByRole('columnheader', { name: 'Notebook' }).getByRole('button').click();
    expect(await shownNames(page)).toEqual(NIGHTLY.results.map(({ name }) => name).toSorted());
    expect(await ran.getAttribute('aria-sort')).toBeNull();
    await page.getByRole('columnheader', { name: 'Verdict' }).getByRole('button').press('Space');
    expect((await shownNames(page)).at(-1)).toBe('tutorials/01-first-light.ipynb');
  });

  test('does nothing of what notebooks say', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const elsewhere = await Elsewhere.start(stack);
    const texts = XSS_CORPUS.map(({ text }) => text(elsewhere.url));
    const results = texts.map((text, n) =>
      result(`${n} ${text}`, n % 2 === 0 ? 'failed' : 'unexpected_pass', {
        path: text,
        expected: text,
        job_url: text,
        executed: text,
        warnings: [text],
        seconds: n,
        failure: {
          reason: text,
          name: text,
          message: text,
          traceback: [text],
          differences: [{ cell: n, diff: `+${text}` }],
        },
      }),
    );
    const whole = texts.join(' ');
    const report = suiteReport(results, { suite: whole, service: whole, revision: whole });
    const before = suiteReport(
      [result(whole, 'passed'), ...results.map(({ name }) => result(name, 'passed'))],
      {
        revision: whole,
      },
    );
    let found: Awaited<ReturnType<typeof watched>> | undefined;
    const html = htmlReport(report, compareReports(report, before));
    const page = await opened(stack, {}, html, async (context) => {
      found = await watched(context, 'file://');
    });
    const address = page.url();
    await page.getByRole('searchbox').fill('RUN canary');
    await page.waitForLoadState('networkidle');
    expect({ ran: [...(found?.ran ?? [])], left: [...(found?.left ?? [])] }).toEqual({ ran: [], left: [] });
    expect({ connections: elsewhere.connections, at: page.url() }).toEqual({ connections: 0, at: address });
    expect(await page.locator('tbody.case').count()).toBe(texts.length);
    const links = await page.evaluate<string[]>('[...document.links].map((a) => a.getAttribute("href"))');
    expect(links.filter((href) => !/^(?:\.\/|#case-\d+$)/.test(href))).toEqual([]);
    expect(links.filter((href) => href.startsWith('./') && !/^\.\/[\w\-.!~*'()%/]*$/.test(href))).toEqual([]);
  });
});
