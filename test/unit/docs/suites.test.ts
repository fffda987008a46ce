import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  KEPT_DAYS,
  MAX_NOTEBOOK_BYTES,
  MAX_NOTEBOOKS_BYTES,
  MAX_REPOSITORY_BYTES,
} from '../../../lib/queue/suite-runs.ts';
import { ROOT } from '../../../platform/state.ts';

const MIB = 2 ** 20;
const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8');

test('operators read the bounds that there are of what Redis keeps of a repository', () => {
  const operations = page('operations.md');
  const row = (begin: string) => operations.split('\n').find((line) => line.startsWith(`| ${begin}`));
  expect(row('reports and executed notebooks')).toContain(`${MAX_REPOSITORY_BYTES / MIB} MiB;`);
  expect(row('executed notebooks of a run')).toContain(
    `${MAX_NOTEBOOKS_BYTES / MIB} MiB, and ${MAX_NOTEBOOK_BYTES / MIB} MiB for one`,
  );
  expect(row('last good runs')).toContain(`${MAX_NOTEBOOKS_BYTES / MIB} MiB for each of the four branches`);
  expect(operations).toContain(`goes after ${KEPT_DAYS} days`);
  expect(page('redis.md')).toContain(`${MAX_REPOSITORY_BYTES / MIB} MiB for each repository`);
});
