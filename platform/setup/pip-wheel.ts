import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const PIP_VERSION = '25.3';

/** PyPI's JSON form of a project page (PEP 691), which mirrors offer too. */
const Project = z.object({
  files: z.array(
    z.object({ filename: z.string(), url: z.string(), hashes: z.object({ sha256: z.string() }) }),
  ),
});

/** Downloads pip's wheel from the package index that pip itself would use. */
export async function downloadPip(dir: string, signal?: AbortSignal): Promise<string> {
  const index = (process.env['PIP_INDEX_URL'] ?? 'https://pypi.org/simple').replace(/\/$/, '');
  const timeout = AbortSignal.timeout(60_000);
  const init = { signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
  const page = `${index}/pip/`;
  const response = await fetch(page, { ...init, headers: { accept: 'application/vnd.pypi.simple.v1+json' } });
  if (!response.ok) throw new Error(`${page} answered ${response.status}`);
  const filename = `pip-${PIP_VERSION}-py3-none-any.whl`;
  const file = Project.parse(await response.json()).files.find((file) => file.filename === filename);
  if (!file) throw new Error(`${page} has no ${filename}`);
  const download = await fetch(new URL(file.url, page), init);
  if (!download.ok) throw new Error(`${file.url} answered ${download.status}`);
  const wheel = Buffer.from(await download.arrayBuffer());
  if (createHash('sha256').update(wheel).digest('hex') !== file.hashes.sha256) {
    throw new Error(`${filename} does not have the hash that ${page} gives`);
  }
  const path = join(dir, filename);
  await writeFile(path, wheel);
  return path;
}
