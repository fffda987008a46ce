import { readFileSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { githubHandler } from '../../functions/github/github.ts';
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { CallerCheck } from '../../lib/http/caller.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { compareReports } from '../../suite/compare.ts';
import { htmlReport } from '../../suite/reports/html/html-report.ts';
import { identity, PATH_PREFIX, SCOPE, serve, tokenCheck } from '../support/function-server.ts';
import { redisOfFile } from '../support/redis.ts';
import { NIGHT_BEFORE, NIGHTLY } from '../support/suite-report.ts';
import { browserOfFile, describeInBrowser } from './support/browser.ts';
import { faultsOf, LOOKS, shoot } from './support/look.ts';

const file = await redisOfFile();
const browser = browserOfFile();
const REPOSITORY = 'team/tutorials';
const NOTEBOOK = '{"cells":[]}';

const run = (digit: string, parts: Partial<SuiteRun>): SuiteRun => ({
  id: digit.repeat(32),
  repository: REPOSITORY,
  branch: 'main',
  commit: `4f0c2b7d9a61${digit.repeat(28)}`,
  event: 'push',
  state: 'ended',
  started: `2026-11-2${digit}T10:00:00.000Z`,
  finished: `2026-11-2${digit}T10:02:05.000Z`,
  ...parts,
});
const NIGHT = run('4', {
  event: 'schedule',
  schedule: 'nightly',
  conclusion: 'failure',
  title:
    '3 failed, 1 passed unexpectedly, 1 could not be run, 1 cancelled, 1 skipped, 1 failed as expected, 2 passed',
});
const BROKEN = run('2', {
  branch: 'a-branch/with-a-long-name-that-somebody-has-given-it',
  event: 'pull_request',
  pull_request: 712,
  conclusion: 'action_required',
  title: 'The suite cannot be run',
});
const RUNS: SuiteRun[] = [
  run('1', { conclusion: 'neutral', title: 'There is no noteburst.yaml' }),
  BROKEN,
  run('3', { event: 'merge', pull_request: 712, conclusion: 'success', title: '9 passed' }),
  NIGHT,
];
const begun = (): SuiteRun => {
  const { finished: _, ...rest } = run('5', {
    state: 'running',
    started: new Date(Date.now() - 95_000).toISOString(),
  });
  return rest;
};

interface Opened {
  page: Page;
  runs: SuiteRuns;
  /** Opens a page of the function, by its path below the repository. */
  open: (path: string) => Promise<void>;
}

async function opened(stack: AsyncDisposableStack, options: BrowserContextOptions = {}): Promise<Opened> {
  await file.redis.flushdb();
  const redis = requestRedis(file.url).on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  await untilReady(redis, 5_000);
  const runs = new SuiteRuns(redis);
  const parts = {
    pathPrefix: PATH_PREFIX,
    queue: { taken: async () => [], remember: async () => undefined, add: async () => undefined },
    runs,
    repositories: ['team/*'],
    webhookSecrets: [],
    scheduleSecrets: [],
    callers: new CallerCheck(tokenCheck, SCOPE),
    reportsUrl: `${PATH_PREFIX}/github`,
  };
  const server = stack.use(await serve(githubHandler(parts)));
  const executed = `${NIGHT.id}/notebooks/1-light-curves.ipynb`;
  const results = NIGHTLY.results.map((result) => {
    const { job_url, executed: _, ...rest } = result;
    return job_url?.endsWith('a2') ? { ...rest, executed } : rest;
  });
  const page = htmlReport({ ...NIGHTLY, results }, compareReports(NIGHTLY, NIGHT_BEFORE));
  const notebooks = new Map([['1-light-curves.ipynb', zstdCompressSync(NOTEBOOK)]]);
  for (const each of RUNS) await runs.write(each, each === NIGHT ? { report: '{}', page, notebooks } : {});
  const context = await browser.open({ ...options, extraHTTPHeaders: identity('alice') });
  stack.defer(() => context.close());
  const tab = await context.newPage();
  const open = async (path: string) => void (await tab.goto(`${server.url}${parts.reportsUrl}/team/${path}`));
  return { page: tab, runs, open };
}

const PAGES = {
  list: 'tutorials',
  report: `tutorials/${NIGHT.id}`,
  running: `tutorials/${begun().id}`,
  unreported: `tutorials/${BROKEN.id}`,
  none: 'other',
  error: 'tutorials/unknown',
};

describeInBrowser('pages of suites', () => {
  test.for(Object.entries(LOOKS))(
    'are accessible, and no wider than the screen: %s',
    { timeout: 60_000 },
    async ([look, options]) => {
      await using stack = new AsyncDisposableStack();
      const { page, runs, open } = await opened(stack, options);
      await runs.write(begun());
      const found: Record<string, unknown> = {};
      for (const [name, path] of Object.entries(PAGES)) {
        await page.setViewportSize(options.viewport);
        await open(path);
        const faults = await faultsOf(page);
        const tooWide = await shoot(page, `suite-${name}-${look}`, options.viewport.width);
        if (faults.length > 0 || tooWide > 0) found[name] = { faults, tooWide };
      }
      expect(found).toEqual({});
    },
  );

  test('lead from the list to a report, and from there to a notebook as it was executed', async () => {
    await using stack = new AsyncDisposableStack();
    const { page, open } = await opened(stack);
    await open('tutorials');
    await page
      .getByRole('row', { name: /nightly/ })
      .getByRole('link')
      .click();
    await page.getByRole('heading', { name: /Nightly tutorials/ }).waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('link', { name: /^Notebook as executed/ }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('light-curves.ipynb');
    expect(readFileSync(await download.path(), 'utf8')).toBe(NOTEBOOK);
  });

  test('of what runs load themselves again, until it has ended', async () => {
    await using stack = new AsyncDisposableStack();
    const { page, runs, open } = await opened(stack);
    await runs.write(begun());
    await page.clock.install();
    await open('tutorials');
    expect(await page.getByText('so far').isVisible()).toBe(true);
    await runs.write({ ...begun(), state: 'ended', conclusion: 'success', title: '12 passed' });
    await page.clock.fastForward(15_000);
    await page.getByText('12 passed').waitFor();
    expect(await page.locator('script').count()).toBe(0);
  });
});
