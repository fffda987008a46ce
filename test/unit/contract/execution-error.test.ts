import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorOf, errorReason } from '../../../lib/contract/execution-error.ts';

test('docs/api.md lists every reason with its code, and no others', () => {
  const page = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('| `run_timeout`'), page.indexOf('## Cancel'));
  const rows = [...table.matchAll(/^\| (`\w+` \| `\w+`) \| \S/gm)].map(([, row]) => row as string);
  const known = errorReason.options.map((reason) => `\`${reason}\` | \`${errorOf(reason, '').code}\``);
  expect(rows.toSorted()).toEqual(known.toSorted());
});
