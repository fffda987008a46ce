import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import type { LiveEvent } from '../../lib/contract/live-event.ts';
import { functionsOn } from '../support/functions-on.ts';
import { markdownCell, notebook } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { browserOfFile, describeInBrowser } from './support/browser.ts';
import { ingressOf } from './support/ingress.ts';
import { PlayedJobs } from './support/jobs.ts';
import { display, raised, ranCell, stream } from './support/notebook.ts';
import { Elsewhere, watched } from './support/watched.ts';
import { XSS_CORPUS } from './support/xss-corpus.ts';

const file = await redisOfFile();
const browser = browserOfFile();

/** Every output that could carry the text, also where it does not belong. */
const outputsWith = (text: string): object[] => [
  display({ 'text/html': text, 'text/plain': text }),
  display({ 'text/markdown': text }),
  display({ 'text/latex': text }),
  display({ 'image/svg+xml': text }),
  display({ 'image/svg+xml': `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">${text}</svg>` }),
  display({ 'image/png': `"${text}` }),
  display({ 'application/javascript': text.replaceAll(/<[^>]*>/g, ''), 'text/plain': text }),
  display({ 'application/json': { [text]: text } }),
  display({ 'application/vnd.jupyter.widget-view+json': { model_id: text }, 'text/plain': [text] }),
  display({ [text]: text }),
  stream(text),
  { output_type: 'stream', name: text, text: [text] },
  { output_type: text, data: text },
  raised(text, text, [text]),
  raised(text, text),
];

/** The text in every place of a notebook. */
const cellsWith = (text: string): object[] => [
  { ...markdownCell(text), id: text, attachments: { [text]: { [text]: text } } },
  markdownCell(
    `![a](attachment:${text}) [a](${text}) $$${text}$$\n\n\`${text}\`\n\n> ${text}\n\n| ${text} |\n| - |`,
  ),
  { cell_type: 'raw', source: text, metadata: { format: text, tags: [text] } },
  { ...ranCell(text, 5, outputsWith(text)), id: text },
];

const wholeOf = (texts: string[]) => {
  const [text = ''] = texts;
  const metadata = {
    title: text,
    kernelspec: { name: text, display_name: text },
    widgets: { [text]: { state: text } },
  };
  return notebook({ metadata, cells: texts.flatMap(cellsWith) });
};

const CLICK_LINKS =
  'for (const a of document.querySelectorAll("a")) a.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }))';

/** What is left of links that do anything else than to lead to a page or a cell. */
const oddLinks = async (page: Page): Promise<string[]> =>
  (
    await Promise.all(
      page
        .frames()
        .map((frame) => frame.evaluate<string[]>('[...document.links].map((a) => a.getAttribute("href"))')),
    )
  )
    .flat()
    .filter((href) => !/^(?:https?:\/\/|mailto:|\/noteburst\/|#cell-\d+$)/.test(href));

/** A page of a job that carries the corpus wherever it can, and what happened in the browser and elsewhere. */
async function opened(below: string, stack: AsyncDisposableStack) {
  const functions = await functionsOn(file.url, file.newQueueName(), stack);
  const { url } = await ingressOf(functions, stack);
  const elsewhere = await Elsewhere.start(stack);
  const jobs = new PlayedJobs(functions, file.url, stack);
  const texts = XSS_CORPUS.map(({ text }) => text(elsewhere.url));
  const tags = texts.map((text) => text.slice(0, 64)).slice(0, 10);
  const id = await jobs.submit(notebook(), { kernel_name: texts[0], tags });
  await (
    await jobs.take()
  ).end(wholeOf(texts), {
    ipynb_error: { name: texts.join(' '), message: texts.join('\n') },
    traceback: texts,
    warnings: texts,
    environment: { image: texts[4] ?? '', kernel: texts[5] ?? '', executor: '', lab: '' },
  });
  const context = await browser.open();
  stack.defer(() => context.close());
  const found = await watched(context, url);
  const page = await context.newPage();
  const address = url + below.replace('ID', id);
  await page.goto(address);
  return {
    page,
    cells: texts.length * 4,
    /** Where it leads, what has left it, and what ran in it. */
    outcome: async () => {
      await page.waitForLoadState('networkidle');
      const { connections } = elsewhere;
      const isThere = page.url() === address && context.pages().length === 1;
      return {
        ran: [...found.ran],
        left: [...found.left],
        connections,
        links: await oddLinks(page),
        isThere,
      };
    },
  };
}

const NOTHING_HAPPENED = { ran: [], left: [], connections: 0, links: [], isThere: true };

describeInBrowser('what a notebook says, wherever it can', () => {
  test('does nothing in the page of its job', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { page, cells, outcome } = await opened('/noteburst/v1/notebooks/ID', stack);
    await page
      .frameLocator('iframe')
      .locator('.cell')
      .nth(cells - 1)
      .waitFor();
    expect(await outcome()).toEqual(NOTHING_HAPPENED);
    expect(page.frames().map((frame) => new URL(frame.url()).pathname)).toEqual([
      expect.stringMatching(/[0-9a-f]{32}$/),
      expect.stringMatching(/[0-9a-f]{32}\/view$/),
    ]);
    expect(await page.title()).toBe(`${XSS_CORPUS[0]?.text('')} · Noteburst`);
  });

  test(
    'does nothing in the view that is opened by itself, which has no origin',
    { timeout: 60_000 },
    async () => {
      await using stack = new AsyncDisposableStack();
      const { page, cells, outcome } = await opened('/noteburst/v1/notebooks/ID/view', stack);
      expect(await outcome()).toEqual(NOTHING_HAPPENED);
      expect(await page.locator('.cell').count()).toBe(cells);
      expect(await page.evaluate('[origin, document.title]')).toEqual(['null', 'Notebook']);
    },
  );

  test('does nothing in the list of jobs', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const { page, outcome } = await opened('/noteburst/', stack);
    expect(await outcome()).toEqual(NOTHING_HAPPENED);
    expect(await page.title()).toBe('Noteburst');
  });

  test('does nothing while it runs', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const functions = await functionsOn(file.url, file.newQueueName(), stack);
    const { url } = await ingressOf(functions, stack);
    const elsewhere = await Elsewhere.start(stack);
    const jobs = new PlayedJobs(functions, file.url, stack);
    const texts = XSS_CORPUS.map(({ text }) => text(elsewhere.url));
    const id = await jobs.submit(notebook({ cells: texts.map((text) => ranCell(text, 1)) }));
    const played = await jobs.take();
    const context = await browser.open();
    stack.defer(() => context.close());
    const found = await watched(context, url);
    const page = await context.newPage();
    await page.goto(`${url}/noteburst/v1/notebooks/${id}`);
    await page.frameLocator('iframe').locator('.cell').last().waitFor();

    // Told when the page is there already: what comes is put into its frame.
    const counts = { cells_done: 0, cells_total: texts.length };
    const events = texts.flatMap((text, cell_index): LiveEvent[] => [
      { type: 'cell_started', cell_index, ...counts },
      ...outputsWith(text).map((output): LiveEvent => {
        return { type: 'output', cell_index, output: output as { output_type: string } };
      }),
    ]);
    await played.tell({ type: 'job_started', attempt: 1 }, ...events);
    await page
      .frameLocator('iframe')
      .locator('.cell.running')
      .nth(texts.length - 1)
      .waitFor();
    expect(await oddLinks(page)).toEqual([]);
    expect({ ran: [...found.ran], left: [...found.left], connections: elsewhere.connections }).toEqual({
      ran: [],
      left: [],
      connections: 0,
    });
  });

  test('would run, send and lead if it were served as it is', { timeout: 60_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const elsewhere = await Elsewhere.start(stack);
    const all = XSS_CORPUS.map((_, n) => `<iframe src="/${n}"></iframe>`).join('');
    const raw = createServer(({ url: path = '' }, response) => {
      const body = path === '/all' ? all : XSS_CORPUS[Number(path.slice(1))]?.text(elsewhere.url);
      response.writeHead(body ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><body>${body ?? ''}`);
    });
    raw.listen(0, '127.0.0.1');
    await once(raw, 'listening');
    stack.defer(() => {
      raw.close();
      raw.closeAllConnections();
    });
    const url = `http://127.0.0.1:${(raw.address() as AddressInfo).port}`;
    const context = await browser.open();
    stack.defer(() => context.close());
    const found = await watched(context, url);
    const dull = () =>
      XSS_CORPUS.filter(
        ({ raw: kind, name }) => kind !== 'inert' && !found.ran.has(name) && !elsewhere.asked.has(name),
      );

    const page = await context.newPage();
    await page.goto(`${url}/all`);
    for (const frame of page.frames()) await frame.evaluate(CLICK_LINKS).catch(() => undefined);
    await vi.waitUntil(() => dull().length < 10, { timeout: 10_000 });
    // Of those that want the focus, one gets it in a page.
    for (const payload of dull()) {
      await page.goto(`${url}/${XSS_CORPUS.indexOf(payload)}`);
      await vi.waitUntil(() => !dull().includes(payload), { timeout: 2_000 }).catch(() => undefined);
    }
    expect(dull().map(({ text }) => text('LEAK'))).toEqual([]);
    expect(XSS_CORPUS.length).toBeGreaterThanOrEqual(100);
  });
});
