import { expect, test } from 'vitest';
import type { z } from 'zod';
import { functionEnv } from '../../../lib/config/functions.ts';
import { executorEnv } from '../../../workers/executor/config.ts';

const HEAD = `# Configuration

Every process of the service reads its environment once, at its start, and ends with exit code 2 and one message that
names every problem when something is wrong. Empty variables count as absent. Names that Noteburst 0.27 has mean the same
here. This page is written from the code by its test (\`npm run test:unit -- -u\` renews it).
`;

/** One table row for each variable, from the schema itself: what it is, and its default. */
function table(schema: z.ZodObject): string {
  const rows = Object.entries(schema.shape).map(([name, type]) => {
    const missing = (type as z.ZodType).safeParse(undefined);
    const value = missing.success ? JSON.stringify(missing.data) : undefined;
    const standard = missing.success ? (value === undefined ? 'none' : `\`${value}\``) : '**required**';
    return `| \`${name}\` | ${standard} | ${(type as z.ZodType).description ?? ''} |`;
  });
  return ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

test('every variable has a description', () => {
  for (const schema of [functionEnv, executorEnv]) {
    for (const [name, type] of Object.entries(schema.shape))
      expect([name, type.description]).not.toContain(undefined);
  }
});

test('docs/configuration.md lists every variable with its default', async () => {
  const page = [
    HEAD,
    '## Functions: submit and status\n',
    `${table(functionEnv)}\n`,
    '## Executor\n',
    `${table(executorEnv)}\n`,
    '`NOTEBURST_WORKER_IDENTITIES_PATH` names a YAML file with a list of `{username, uid, gid}`; uid and gid are optional.',
    'As many executors can work at once as it has identities; more of them wait, alive but not ready.\n',
  ].join('\n');
  await expect(page).toMatchFileSnapshot('../../../docs/configuration.md');
});
