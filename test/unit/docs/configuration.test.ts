import { expect, test } from 'vitest';
import type { z } from 'zod';
import { functionEnv } from '../../../lib/config/functions.ts';
import { githubFunctionEnv } from '../../../lib/config/github-function.ts';
import { courierEnv } from '../../../workers/courier/config.ts';
import { executorEnv } from '../../../workers/executor/config.ts';

const HEAD = `# Configuration

Every process of the service reads its environment once, at its start, and ends with exit code 2 and one message that
names every problem when something is wrong. Empty variables count as absent. Names that Noteburst 0.27 has are kept where
they mean the same; what to look at when moving over is at the end. This page is written from the code by its test (\`npm run test:unit -- -u\` renews it).
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
  for (const schema of [functionEnv, executorEnv, courierEnv, githubFunctionEnv]) {
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
    '## Courier\n',
    `${table(courierEnv)}\n`,
    'Certificates of receivers that a private CA has signed are taken with Node’s own `NODE_EXTRA_CA_CERTS`, which names its file.\n',
    '## Function: github\n',
    `${table(githubFunctionEnv)}\n`,
    '## Coming from Noteburst 0.27\n',
    '| variable | there | here |',
    '| --- | --- | --- |',
    '| `NOTEBURST_WORKER_JOB_TIMEOUT` | the timeout of every job, 300 s | the longest timeout a request may ask for, 3,600 s |',
    '| `NOTEBURST_WORKER_QUEUE_NAME` | `arq:queue` | `nbexec`; no colons, it begins the ids of its jobs |',
    '| `NOTEBURST_WORKER_TOKEN_LIFETIME` | 28 days | 24 hours; the lab is replaced before it ends |\n',
  ].join('\n');
  await expect(page).toMatchFileSnapshot('../../../docs/configuration.md');
});
