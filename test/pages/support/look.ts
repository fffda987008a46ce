/** How a page looks, and to whom. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';

const SCREENSHOTS = join(import.meta.dirname, '../../../out/pages');
export const LOOKS = {
  desktop: { viewport: { width: 1_200, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  dark: { viewport: { width: 1_200, height: 900 }, colorScheme: 'dark' as const },
};

/** What axe finds in the page and its frames. */
export async function faultsOf(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const frame of page.frames()) {
    // Not by a script element, which the pages' policy would not let in.
    const { violations } = await frame.evaluate<axe.AxeResults>(
      `(() => { ${axe.source}; return axe.run(document, ${JSON.stringify(AXE)}); })()`,
    );
    for (const { id, nodes } of violations) {
      faults.push(
        ...nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
      );
    }
  }
  return faults;
}

/** What pandas makes of a table is not ours to name. */
const AXE = {
  iframes: false,
  resultTypes: ['violations'],
  rules: { 'empty-table-header': { enabled: false } },
};

/** @returns how much wider than the screen the page is, in pixels */
export async function shoot(page: Page, name: string, width: number): Promise<number> {
  const [height = 0, wide = 0] = await page.evaluate<number[]>(
    '[document.documentElement.scrollHeight, document.documentElement.scrollWidth]',
  );
  mkdirSync(SCREENSHOTS, { recursive: true });
  // What is in frames is painted as far as it is on the screen.
  await page.setViewportSize({ width, height });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  return wide - width;
}
