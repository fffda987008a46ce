import { existsSync } from 'node:fs';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';

const EXECUTABLE = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

const ARGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

if (!EXECUTABLE) console.log('skipped: there is no Chromium in /usr/bin (apt install chromium)');

/** For tests that need the distribution's Chromium: where there is none they are skipped, and it is said. */
// oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback -- it has neither yet
export const describeInBrowser = describe.skipIf(!EXECUTABLE);

/**
 * Waits until an expression is true in the page. Not by `waitForFunction`: from its second look on that needs `eval`, which the
 * pages' policy forbids.
 */
export async function untilTrue(page: Page, expression: string): Promise<void> {
  await expect.poll(() => page.evaluate(expression), { timeout: 8_000 }).toBe(true);
}

/** One browser for the tests of a file, with a profile of its own. */
export function browserOfFile(): { open: (options?: BrowserContextOptions) => Promise<BrowserContext> } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (EXECUTABLE)
      browser = await chromium.launch({ executablePath: EXECUTABLE, chromiumSandbox: false, args: ARGS });
  }, 30_000);
  afterAll(() => browser?.close());
  return {
    async open(options) {
      if (!browser) throw new Error('there is no browser');
      const context = await browser.newContext(options);
      // What does not come within that does not come.
      context.setDefaultTimeout(8_000);
      return context;
    },
  };
}
