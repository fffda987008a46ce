import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errorOf } from '../../lib/contract/execution-error.ts';
import { functionsOn } from '../support/functions-on.ts';
import { codeCell, notebook } from '../support/notebooks.ts';
import { redisOfFile } from '../support/redis.ts';
import { browserOfFile, describeInBrowser, untilTrue } from './support/browser.ts';
import { ingressOf, type Ingress } from './support/ingress.ts';
import { PlayedJobs } from './support/jobs.ts';
import { gallery, raised, ranCell, stream, TRACEBACK } from './support/notebook.ts';

const file = await redisOfFile();
const browser = browserOfFile();
let stack: AsyncDisposableStack;
let ingress: Ingress;
let jobs: PlayedJobs;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const functions = await functionsOn(file.url, file.newQueueName(), stack);
  ingress = await ingressOf(functions, stack);
  jobs = new PlayedJobs(functions, file.url, stack);
});
afterEach(() => stack.disposeAsync());

async function opened(path: string, options?: BrowserContextOptions): Promise<Page> {
  const context = await browser.open(options);
  stack.defer(() => context.close());
  const page = await context.newPage();
  await page.goto(ingress.url + path);
  return page;
}

const pathOf = (id: string): string => `/noteburst/v1/notebooks/${id}`;
const cells = (page: Page) => page.frameLocator('#notebook').locator('.cell');
const ofTwo = { cells_total: 2 };

describeInBrowser('the page of a job', () => {
  test('shows it from the queue to its end, without being loaded again', async () => {
    const twoCells = notebook({ cells: [codeCell('print(1)'), codeCell('print(2)')] });
    const id = await jobs.submit(twoCells, { tags: ['two.ipynb'] });
    const page = await opened(pathOf(id));
    await page.evaluate('window.isTheSame = true');
    await page.getByText('Waiting').waitFor();
    expect(await page.title()).toBe('two.ipynb · Noteburst');
    expect(await cells(page).locator('.source').allInnerTexts()).toEqual(['print(1)', 'print(2)']);

    const played = await jobs.take();
    await played.tell(
      { type: 'job_started', attempt: 1 },
      { type: 'cell_started', cell_index: 0, cells_done: 0, ...ofTwo },
      { type: 'output', cell_index: 0, output: stream('one\n') },
    );
    await page.getByText('0 of 2 cells').waitFor();
    await cells(page).first().getByText('one').waitFor();
    await played.tell(
      { type: 'cell_finished', cell_index: 0, cells_done: 1, ...ofTwo },
      { type: 'cell_started', cell_index: 1, cells_done: 1, ...ofTwo },
      { type: 'output', cell_index: 1, output: stream('two\n') },
    );
    await cells(page).nth(1).getByText('running').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('1');
    await cells(page).first().getByText('done').waitFor();

    const executed = notebook({
      cells: [ranCell('print(1)', 1_500, [stream('one\n')]), ranCell('print(2)', 20, [stream('two\n')])],
    });
    await played.end(executed, { progress: { cells_done: 2, ...ofTwo } });
    await page.getByRole('link', { name: 'Download notebook' }).waitFor();
    await cells(page).first().getByText('1.5 s').waitFor();
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    expect(await page.locator('#status').innerText()).toBe('Finished');
    expect(await page.evaluate('window.isTheSame')).toBe(true);
  });

  test('cancels it', async () => {
    const page = await opened(pathOf(await jobs.submit(notebook())));
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('#status').getByText('Cancelled').waitFor();
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
  });

  test('is scrolled to the cell that failed', async () => {
    const failing = gallery(ranCell('flux["u"]', 48, [raised('KeyError', "'u'", TRACEBACK)], 5));
    const ipynb_error = { name: 'KeyError', message: "'u'" };
    const page = await opened(pathOf(await jobs.ended(failing, { ipynb_error, traceback: TRACEBACK })));
    await untilTrue(page, 'document.querySelector("iframe").style.height !== ""');
    await page.getByRole('link', { name: 'Go to the cell' }).click();
    await untilTrue(page, 'scrollY > 300');
    const box = await cells(page).last().boundingBox();
    expect(box?.y).toBeLessThan(600);
    expect(await cells(page).last().getAttribute('aria-label')).toBe('Cell 5, failed');
  });

  test('says why a job has no notebook, and shows what was submitted', async () => {
    const id = await jobs.submit(notebook());
    await (await jobs.take()).end(undefined, { error: errorOf('executor_lost', 'Its executor was lost') });
    const page = await opened(pathOf(id));
    expect(await page.getByRole('region', { name: 'Error' }).innerText()).toContain('Its executor was lost');
    expect(await page.getByRole('link', { name: 'Download notebook' }).count()).toBe(0);
    expect(await cells(page).locator('.source').allInnerTexts()).toEqual(['print(6 * 7)']);
  });

  test('shows a finished job without JavaScript, its failed cell and the download too', async () => {
    const failing = gallery(ranCell('flux["u"]', 48, [raised('KeyError', "'u'", TRACEBACK)], 5));
    const ipynb_error = { name: 'KeyError', message: "'u'" };
    const id = await jobs.ended(failing, { ipynb_error });
    const page = await opened(pathOf(id), { javaScriptEnabled: false });
    expect(await page.locator('#status').innerText()).toBe('Raised an error');
    expect(await cells(page).count()).toBe(6);
    await page.getByRole('link', { name: 'Go to the cell' }).click();
    await page.frame({ url: /#failed$/ })?.waitForLoadState();
    expect(page.frames()[1]?.url()).toBe(`${ingress.url}${pathOf(id)}/view#failed`);

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download notebook' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${id}.ipynb`);
    expect(JSON.parse(await text(createReadStream(await download.path())))).toEqual(failing);
  });

  test('is its owner’s alone', async () => {
    const id = await jobs.ended(notebook());
    ingress.user = 'bob';
    for (const path of [pathOf(id), `${pathOf(id)}/view`]) {
      const page = await opened(path);
      expect(await page.locator('h1').innerText()).toContain('Not Found');
      expect(await page.content()).not.toContain('print');
    }
  });
});

describeInBrowser('the home page', () => {
  const FILE = {
    name: 'mine.ipynb',
    mimeType: 'application/x-ipynb+json',
    buffer: Buffer.from(JSON.stringify(notebook())),
  };

  test('submits a notebook with its parameters, and goes to its job, which it lists from then on', async () => {
    const page = await opened('/noteburst/');
    await page.getByText('None yet.').waitFor();
    await page.locator('input[type=file]').setInputFiles(FILE);
    await page.getByLabel('Timeout').fill('90');
    await page.getByLabel('Parameters').fill('{"night": "2026-11-20"}');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForURL(/\/v1\/notebooks\/.+/);
    expect(await page.locator('h1').innerText()).toContain('mine.ipynb');
    expect(await page.locator('#facts').innerText()).toContain('1 min 30 s');
    await cells(page).first().getByText('night = "2026-11-20"').waitFor();
    await page.getByRole('link', { name: 'Noteburst' }).click();
    await page.getByRole('link', { name: 'mine.ipynb' }).click();
    await page.waitForURL(/\/v1\/notebooks\/.+/);
  });

  test('takes a notebook that is dropped', async () => {
    const page = await opened('/noteburst/');
    await page.evaluate(`
      const data = new DataTransfer();
      data.items.add(new File([${JSON.stringify(FILE.buffer.toString())}], 'dropped.ipynb'));
      document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    `);
    await page.getByRole('button', { name: 'Run' }).click();
    await page.waitForURL(/\/v1\/notebooks\/.+/);
    expect(await page.locator('h1').innerText()).toContain('dropped.ipynb');
  });

  test('says what was wrong', async () => {
    const page = await opened('/noteburst/');
    const alert = page.getByRole('alert');
    await page.locator('input[type=file]').setInputFiles({ ...FILE, buffer: Buffer.from('{"nbformat": 3}') });
    await page.getByRole('button', { name: 'Run' }).click();
    await alert.getByText('nbformat').waitFor();
    expect(await alert.innerText()).toContain('only nbformat 4 is taken');
    await page.locator('input[type=file]').setInputFiles(FILE);
    await page.getByLabel('Parameters').fill('night');
    await page.getByRole('button', { name: 'Run' }).click();
    await alert.getByText('The parameters are not JSON').waitFor();
  });

  test('is not for strangers', async () => {
    ingress.user = undefined;
    const page = await opened('/noteburst/');
    expect(await page.locator('h1').innerText()).toContain('Unauthorized');
    expect(await page.locator('main').innerText()).toContain('Log in');
  });
});
