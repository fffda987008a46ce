import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../platform/state.ts';
import { FakeGithub } from './support/github.ts';
import { notebookFile } from './support/notebooks.ts';
import { Repository } from './support/repository.ts';
import { runStep } from './support/runner.ts';
import { TokenExchange } from './support/token-exchange.ts';

const { baseUrl, token } = inject('noteburst');

interface Workflow {
  on: string | Record<string, unknown>;
  jobs: Record<string, { steps: { uses?: string; with?: Record<string, unknown> }[] }>;
}

/** The workflows that a page shows, beside what is for other systems. */
function workflows(page: string): { name: string; workflow: Workflow }[] {
  const blocks = readFileSync(join(ROOT, page), 'utf8').matchAll(/^```yaml\n([^]*?)^```$/gm);
  const all = [...blocks].map(([, text = '']) => parse(text) as Partial<Workflow>);
  return all
    .filter((block): block is Workflow => block.on !== undefined)
    .map((workflow, n) => ({ name: `${page} ${n + 1}`, workflow }));
}

const pages = ['action/README.md', 'docs/ci.md'].flatMap(workflows);

let github: FakeGithub;
let exchange: TokenExchange;
let repository: Repository;
let before: string;
beforeAll(() => {
  const draft = notebookFile('1 / 0');
  repository = new Repository({
    'noteburst.yaml': 'exclude: ["**/draft-*"]\n',
    'tutorials/draft-a.ipynb': draft,
  });
  before = repository.head();
  repository.commit({ 'tutorials/a.ipynb': notebookFile('1'), 'docs/b/c.ipynb': notebookFile('2') });
});
afterAll(() => repository[Symbol.dispose]());
beforeEach(async () => {
  github = await FakeGithub.start();
  exchange = await TokenExchange.start(github, token, 'https://data.example.org');
});
afterEach(async () => {
  await exchange[Symbol.asyncDispose]();
  await github[Symbol.asyncDispose]();
});

/** What stands in a workflow for what is different everywhere. */
function here(value: unknown): string {
  return String(value)
    .replace('https://data.example.org/noteburst', baseUrl)
    .replace('https://data.example.org/auth/token-exchange', exchange.url)
    .replaceAll('${{ secrets.NOTEBURST_TOKEN }}', token);
}

test('the pages have the workflows that are run here', () => {
  expect(pages.length).toBe(5);
});

test.each(pages)('the workflow of $name runs', async ({ workflow }) => {
  const [job] = Object.values(workflow.jobs);
  const step = job?.steps.find(({ uses }) => uses?.startsWith('OWNER/noteburst/action@'));
  const inputs = Object.entries(step?.with ?? {}).map(([name, value]) => [name, here(value)]);
  const name = typeof workflow.on === 'string' ? workflow.on : (Object.keys(workflow.on)[0] as string);
  const sides = { base: { sha: before }, head: { sha: repository.head() } };
  const { code, outputs } = await runStep({
    with: Object.fromEntries(inputs) as Record<string, string>,
    workspace: repository.checkout(),
    event: { name, payload: name === 'pull_request' ? { pull_request: sides } : { before } },
    env: { ...github.artifactEnv, ...github.oidcEnv },
  });
  expect(outputs).toMatchObject({ verdict: 'passed', passed: '2', failed: '0' });
  expect(code).toBe(0);
  expect(Object.keys(github.artifact('noteburst'))).toContain('notebooks/docs/b/c.ipynb');
});
