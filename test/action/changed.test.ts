import { relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { changedFiles } from '../../action/changed.ts';
import { notebookFile } from './support/notebooks.ts';
import { Repository } from './support/repository.ts';
import { runStep } from './support/runner.ts';

const NONE = '0'.repeat(40);

let repository: Repository;
beforeEach(() => {
  repository = new Repository({
    'noteburst.yaml': 'include: ["**/*.ipynb"]\n',
    'a.ipynb': notebookFile('1'),
    'b.ipynb': notebookFile('2'),
    'sub/c d.ipynb': notebookFile('3'),
    'sub/é\n.ipynb': notebookFile('4'),
  });
});
afterEach(() => repository[Symbol.dispose]());

/** What a push from one commit to another has changed, by paths in the repository; or why that is not known. */
async function changedBy(name: string, payload: object, checkout: string): Promise<string[] | string> {
  const changed = await changedFiles(checkout, { name, payload });
  if ('unknown' in changed) return changed.unknown;
  return [...changed.files].map((file) => relative(checkout, file)).toSorted();
}

const pullRequest = (base: string, head: string) => ({
  pull_request: { base: { sha: base }, head: { sha: head } },
});

describe('changed by a push', () => {
  test('is what its commits have changed, renamed and deleted', async () => {
    const before = repository.head();
    repository.commit({ 'a.ipynb': notebookFile('11'), 'b.ipynb': undefined });
    repository.git('mv', 'sub/c d.ipynb', 'sub/e.ipynb');
    repository.commit({ 'sub/é\n.ipynb': notebookFile('44') });
    const paths = ['a.ipynb', 'b.ipynb', 'sub/c d.ipynb', 'sub/e.ipynb', 'sub/é\n.ipynb'];
    expect(await changedBy('push', { before }, repository.checkout())).toEqual(paths);
  });

  test('is known with all of the history, too', async () => {
    const before = repository.commit({ 'a.ipynb': '1' });
    repository.commit({ 'b.ipynb': '1' });
    const checkout = repository.checkout(repository.head(), true);
    expect(await changedBy('push', { before }, checkout)).toEqual(['b.ipynb']);
  });

  test('is not known of a new branch', async () => {
    expect(await changedBy('push', { before: NONE }, repository.checkout())).toBe('the branch is new');
  });

  test('is not known when what was there before is gone', async () => {
    const before = 'b'.repeat(40);
    expect(await changedBy('push', { before }, repository.checkout())).toMatch(
      /^git cannot tell what has changed: /,
    );
  });

  test('is not known of an event without commits', async () => {
    const told = await changedBy('push', { before: '--upload-pack=x' }, repository.checkout());
    expect(told).toBe('git cannot tell what has changed: the event does not name the commits');
  });
});

describe('changed by a pull request', () => {
  let base: string;
  let head: string;
  beforeEach(() => {
    base = repository.head();
    repository.git('checkout', '--quiet', '-b', 'topic');
    head = repository.commit({ 'a.ipynb': notebookFile('11') });
    repository.git('checkout', '--quiet', 'main');
    repository.commit({ 'b.ipynb': notebookFile('22') });
  });

  test('is what the merge brings, not what has come into the target since', async () => {
    repository.git('merge', '--quiet', '--no-ff', '--message=merge', 'topic');
    expect(await changedBy('pull_request', pullRequest(base, head), repository.checkout())).toEqual([
      'a.ipynb',
    ]);
  });

  test('is what the branch has, where that is checked out with its history', async () => {
    const checkout = repository.checkout(head, true);
    const target = repository.head();
    expect(await changedBy('pull_request', pullRequest(target, head), checkout)).toEqual(['a.ipynb']);
  });

  test('may be too much without the history, and never too little', async () => {
    const target = repository.head();
    const changed = await changedBy('pull_request', pullRequest(target, head), repository.checkout(head));
    expect(changed).toEqual(['a.ipynb', 'b.ipynb']);
  });

  test('is not taken from the merge that a branch ends with', async () => {
    repository.git('checkout', '--quiet', 'topic');
    repository.git('merge', '--quiet', '--message=merge', 'main');
    const [target, merged] = [repository.git('rev-parse', 'main'), repository.head()];
    const changed = await changedBy('pull_request', pullRequest(target, merged), repository.checkout());
    expect(changed).toEqual(['a.ipynb']);
  });
});

test.each(['schedule', 'workflow_dispatch', 'pull_request_target'])('is not known of %s', async (name) => {
  expect(await changedBy(name, {}, repository.checkout())).toBe(`the event ${name} changes nothing`);
});

describe('a step that runs only what has changed', () => {
  const { baseUrl, token } = inject('noteburst');
  const step = (before: string, more: object = {}) =>
    runStep({
      with: { 'base-url': baseUrl, token, 'changed-only': 'true', artifact: '', ...more },
      workspace: repository.checkout(),
      event: { name: 'push', payload: { before } },
    });

  test('runs that', async () => {
    const before = repository.head();
    repository.commit({ 'b.ipynb': notebookFile('22'), 'a.ipynb': undefined });
    const { code, outputs, log } = await step(before);
    expect([code, outputs['passed']]).toEqual([0, '1']);
    expect(log).toMatch(/^✓ b.ipynb/m);
  });

  test('runs scripts and pages as well, and annotates their own lines', async () => {
    const fence = (code: string) => `# Page\n\n\`\`\`python\n${code}\n\`\`\`\n`;
    const before = repository.commit({
      'noteburst.yaml': 'include: ["**/*.ipynb", "docs/**/*.md", "scripts/*.py"]\nexclude: [helper.py]\n',
      'docs/page.md': fence('1'),
      'docs/other.md': fence('2'),
      'scripts/job.py': '# %%\n1\n',
      'scripts/helper.py': 'x = 1\n',
    });
    repository.commit({
      'docs/page.md': fence('a = 1\n1 / 0'),
      'scripts/job.py': '# %%\n2\n',
      'scripts/helper.py': 'x = 2\n',
    });
    const { code, outputs, commands } = await step(before);
    expect([code, outputs['passed'], outputs['failed']]).toEqual([1, '1', '1']);
    expect(commands).toContainEqual(
      expect.objectContaining({
        name: 'error',
        properties: expect.objectContaining({ file: 'docs/page.md', line: '5' }) as object,
      }),
    );
  });

  test('passes without a token when there is nothing to run', async () => {
    const before = repository.head();
    repository.commit({ 'README.md': 'x' });
    const { code, outputs, commands } = await step(before, { token: '' });
    expect(code).toBe(0);
    expect(outputs).toEqual({ verdict: 'passed', passed: '0', failed: '0' });
    expect(commands.at(-1)).toMatchObject({
      name: 'notice',
      message: expect.stringContaining('No notebook has changed'),
    });
  });

  test('runs all when the suite file has changed', async () => {
    const before = repository.head();
    repository.commit({ 'noteburst.yaml': 'exclude: [b.ipynb]\n' });
    const { outputs } = await step(before);
    expect(outputs['passed']).toBe('3');
  });

  test('runs all, with a notice, when that is not known', async () => {
    const { outputs, commands } = await step(NONE, { paths: 'a.ipynb' });
    expect(outputs['passed']).toBe('1');
    expect(commands).toContainEqual({
      name: 'notice',
      properties: {},
      message: 'All notebooks are run: the branch is new',
    });
  });
});
