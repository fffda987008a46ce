import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const PIP_VERSION = '25.3';

/** Downloads pip's wheel from the package index that pip itself would use. */
export async function downloadPip(dir: string, signal?: AbortSignal): Promise<string> {
  const index = (process.env['PIP_INDEX_URL'] ?? 'https://pypi.org/simple').replace(/\/$/, '');
  const timeout = AbortSignal.timeout(60_000);
  const init = { signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
  const page = `${index}/pip/`;
  // The page as HTML: every index has that form, not every one the newer JSON.
  const response = await fetch(page, { ...init, headers: { accept: 'text/html' } });
  if (!response.ok) throw new Error(`${page} answered ${response.status}`);
  const filename = `pip-${PIP_VERSION}-py3-none-any.whl`;
  const links = [...(await response.text()).matchAll(/href="([^"#]+)#sha256=([0-9a-f]{64})"/g)];
  const [, href = '', hash = ''] = links.find(([, href = '']) => href.endsWith(`/${filename}`)) ?? [];
  if (href === '') throw new Error(`${page} has no ${filename}`);
  const download = await fetch(new URL(href, response.url), init);
  if (!download.ok) throw new Error(`${href} answered ${download.status}`);
  const wheel = Buffer.from(await download.arrayBuffer());
  if (createHash('sha256').update(wheel).digest('hex') !== hash) {
    throw new Error(`${filename} does not have the hash that ${page} gives`);
  }
  const path = join(dir, filename);
  await writeFile(path, wheel);
  return path;
}
