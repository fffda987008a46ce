import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { functionsOn, type Functions } from '../support/functions-on.ts';
import { redisOfFile } from '../support/redis.ts';
import { browserOfFile, describeInBrowser, untilTrue } from './support/browser.ts';
import { ingressOf } from './support/ingress.ts';
import { PlayedJobs } from './support/jobs.ts';
import { faultsOf, LOOKS, shoot } from './support/look.ts';
import { gallery, raised, ranCell, TRACEBACK } from './support/notebook.ts';

const file = await redisOfFile();
const browser = browserOfFile();

/** Jobs in every state, and where to look at them. */
async function pathsOfPages(
  functions: Functions,
  stack: AsyncDisposableStack,
): Promise<Record<string, string>> {
  const jobs = new PlayedJobs(functions, file.url, stack);
  const at = (id: string) => `/noteburst/v1/notebooks/${id}`;
  const common = {
    environment: { image: 'w_2026_47', kernel: 'LSST', executor: 'executor-0', lab: 'bot-noteburst01' },
    progress: { cells_done: 5, cells_total: 5 },
  };
  const warnings = ['Cell 4: some output was cut'];
  const finished = await jobs.ended(gallery(), { ...common, warnings }, { tags: ['light-curve.ipynb'] });
  const ipynb_error = { name: 'KeyError', message: "'u'" };
  const failing = gallery(ranCell('flux["u"]', 48, [raised('KeyError', "'u'", TRACEBACK)], 5));
  const outcome = { ...common, ipynb_error, traceback: TRACEBACK };
  const failed = await jobs.ended(failing, outcome, { tags: ['survey.ipynb'] });

  const running = await jobs.submit(gallery(), { tags: ['nightly.ipynb', 'ci'], parameters: { night: 1 } });
  const output = { output_type: 'stream', name: 'stdout', text: 'reading 40 %' };
  await (
    await jobs.take()
  ).tell(
    { type: 'job_started', attempt: 1 },
    { type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 6 },
    { type: 'cell_finished', cell_index: 0, cells_done: 1, cells_total: 6 },
    { type: 'cell_started', cell_index: 3, cells_done: 1, cells_total: 6 },
    { type: 'output', cell_index: 3, output },
  );
  const waiting = await jobs.submit(gallery());
  const unknown = `${functions.queueName}-${'a'.repeat(32)}`;
  return {
    home: '/noteburst/',
    waiting: at(waiting),
    running: at(running),
    finished: at(finished),
    failed: at(failed),
    error: at(unknown),
  };
}

/** A page whose frame, if it has one, is as high as its notebook. */
async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  if (!(await page.$('iframe'))) return;
  await page.frameLocator('iframe').locator('.cell').last().waitFor();
  await untilTrue(page, 'document.querySelector("iframe").style.height !== ""');
}

describeInBrowser('the pages', () => {
  test.for(Object.entries(LOOKS))(
    'are accessible, and no wider than the screen: %s',
    { timeout: 60_000 },
    async ([look, options]) => {
      await using stack = new AsyncDisposableStack();
      const functions = await functionsOn(file.url, file.newQueueName(), stack);
      const { url } = await ingressOf(functions, stack);
      const context = await browser.open(options);
      const found: Record<string, unknown> = {};
      for (const [name, path] of Object.entries(await pathsOfPages(functions, stack))) {
        const page = await context.newPage();
        await open(page, url + path);
        const faults = await faultsOf(page);
        const tooWide = await shoot(page, `${name}-${look}`, options.viewport.width);
        if (faults.length > 0 || tooWide > 0) found[name] = { faults, tooWide };
        await page.close();
      }
      await context.close();
      expect(found).toEqual({});
    },
  );
});
