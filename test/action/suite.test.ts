import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { CaseResult, SuiteReport } from '../../suite/report.ts';
import { FakeGithub } from './support/github.ts';
import { lineWith, notebookFile } from './support/notebooks.ts';
import { Repository } from './support/repository.ts';
import { runStep, type StepResult } from './support/runner.ts';

const service = inject('noteburst');

const BAD = notebookFile('a = 1\nb = 2', 'def f(x):\n    return x / 0\n\nf(a)');
/** What a notebook says that would order the runner about. */
const FORGING = notebookFile(
  [
    'class E(Exception): pass',
    `raise E('\\x1b[31mred\\n::error file=x.py::forged\\n##[error]forged\\r::set-output name=verdict::passed\\n100%0A::warning::forged')`,
  ].join('\n'),
);
const FILES = {
  'noteburst.yaml': `
name: Demonstration
exclude: ['drafts/**']
notebooks:
  - match: known.ipynb
    expected_failure: Not yet ported
`,
  'good.ipynb': notebookFile('print(6 * 7)'),
  'tutorials/bad, really.ipynb': BAD,
  'forging.ipynb': FORGING,
  'known.ipynb': notebookFile('1 / 0'),
  'drafts/draft.ipynb': notebookFile('1 / 0'),
};

let github: FakeGithub;
let repository: Repository;
beforeAll(async () => {
  github = await FakeGithub.start();
  repository = new Repository(FILES);
});
afterAll(async () => {
  repository[Symbol.dispose]();
  await github[Symbol.asyncDispose]();
});

const connection = { 'base-url': service.baseUrl, token: service.token };
const annotations = ({ commands }: StepResult) =>
  commands.filter(({ name }) => ['error', 'warning', 'notice'].includes(name));

describe('a suite of which notebooks fail', () => {
  let result: StepResult;
  beforeAll(async () => {
    result = await runStep({
      with: connection,
      workspace: repository.checkout(),
      env: github.artifactEnv,
    });
  }, 60_000);

  test('fails the step, and says how many', () => {
    expect(result.code).toBe(1);
    expect(annotations(result).at(-1)).toEqual({
      name: 'error',
      properties: {},
      message: '2 of 4 notebooks failed',
    });
  });

  test('has an annotation for each, where the code is', () => {
    const [first, second, ...others] = annotations(result);
    expect(first?.properties).toEqual({
      title: 'E in forging.ipynb',
      file: 'forging.ipynb',
      line: String(lineWith(FORGING, 'raise E')),
    });
    expect(second).toMatchObject({
      name: 'error',
      properties: {
        title: 'ZeroDivisionError in tutorials/bad, really.ipynb',
        file: 'tutorials/bad, really.ipynb',
        line: String(lineWith(BAD, 'return x / 0')),
      },
    });
    expect(second?.message).toMatch(
      /^ZeroDivisionError: division by zero\n\n-+\nZeroDivisionError +Traceback/,
    );
    expect(others).toHaveLength(1);
  });

  test('orders nothing of the runner in the name of a notebook', () => {
    expect(annotations(result)[0]?.message).toMatch(
      /^E: red ::error .*\n::error file=x.py::forged\n##\[error\]forged/s,
    );
    const names = new Set(result.commands.map(({ name }) => name));
    expect(names).toEqual(new Set(['add-mask', 'group', 'endgroup', 'error', 'debug']));
    expect(result.commands.filter(({ message }) => message.startsWith('forged'))).toEqual([]);
    expect(result.log).toContain('::error file=x.py::forged');
  });

  test('has no colours but in the log', () => {
    for (const { message } of result.commands) expect(message).not.toContain('\u001B');
    expect(result.printed).toContain('\u001B[32m✓');
  });

  test('shows in the log what becomes of each', () => {
    expect(result.log).toMatch(/^✓ good.ipynb +\d/m);
    expect(result.log).toMatch(/^~ known.ipynb .*failed as expected/m);
    expect(result.log).toContain('return x / 0');
  });

  test('has a summary of the job', () => {
    expect(result.summary).toContain('ZeroDivisionError');
    expect(result.summary).toContain('Demonstration');
  });

  test('has outputs', () => {
    expect(result.outputs).toMatchObject({ verdict: 'failed', passed: '2', failed: '2' });
    const { html, junit, json, executed } = result.outputs;
    expect([html, junit, json, executed].map((path) => path?.split('/').at(-1))).toEqual([
      'report.html',
      'junit.xml',
      'report.json',
      'notebooks',
    ]);
  });

  test('leaves its reports and the executed notebooks in an artifact', () => {
    const files = github.artifact('noteburst');
    expect(Object.keys(files).toSorted()).toEqual([
      'junit.xml',
      'notebooks/.noteburst-executed',
      'notebooks/forging.ipynb',
      'notebooks/good.ipynb',
      'notebooks/known.ipynb',
      'notebooks/tutorials/bad, really.ipynb',
      'report.html',
      'report.json',
      'summary.md',
    ]);
    expect(files['notebooks/good.ipynb']).toContain('42');
    expect(JSON.parse(files['report.json'] ?? '')).toMatchObject({
      suite: 'Demonstration',
      revision: 'a'.repeat(40),
      results: [{ verdict: 'failed' }, { executed: 'notebooks/good.ipynb' }, {}, {}],
    });
  });

  test('shows the token nowhere', () => {
    const masks = result.commands.filter(({ name }) => name === 'add-mask').map(({ message }) => message);
    expect(masks).toContain(service.token);
    const rest = result.printed.replaceAll(/^::add-mask::.*$/gm, '');
    const told = [rest, result.summary, ...Object.values(github.artifact('noteburst'))].join('\n');
    expect(told).not.toContain(service.token);
  });
});

test('a suite of which all pass', async () => {
  const { code, outputs, commands } = await runStep({
    with: { ...connection, paths: 'good.ipynb\nknown.ipynb\n', parameters: 'n: 3', artifact: '' },
    workspace: repository.checkout(),
  });
  expect(outputs).toMatchObject({ verdict: 'passed', passed: '2', failed: '0' });
  expect(commands.filter(({ name }) => name === 'error' || name === 'warning')).toEqual([]);
  expect(code).toBe(0);
});

test('a file name orders nothing either; one that artifacts may not have is left out', async () => {
  const name = 'a\n::error::forged ##[error]forged';
  using odd = new Repository({ [`${name}.ipynb`]: notebookFile('1 / 0'), 'good.ipynb': notebookFile('1') });
  const result = await runStep({
    with: { ...connection, paths: '.', artifact: 'odd' },
    workspace: odd.checkout(),
    env: github.artifactEnv,
  });
  const [error, step, warning, ...others] = annotations(result);
  expect(error?.properties).toMatchObject({
    file: `${name}.ipynb`,
    title: expect.stringContaining('a ::error'),
  });
  expect([step?.message, warning?.name, others]).toEqual(['1 of 2 notebooks failed', 'warning', []]);
  expect(Object.keys(github.artifact('odd'))).toContain('notebooks/good.ipynb');
});

test('a run is compared with the one before', async () => {
  const workspace = repository.checkout();
  const { outputs } = await runStep({
    with: { ...connection, paths: 'good.ipynb', previous: 'none.json', artifact: 'first' },
    workspace,
    env: github.artifactEnv,
  });
  expect(outputs['verdict']).toBe('passed');
  const before = JSON.parse(github.artifact('first')['report.json'] ?? '') as SuiteReport;
  before.results[0] = { ...(before.results[0] as CaseResult), verdict: 'failed' };
  writeFileSync(join(workspace, 'previous.json'), JSON.stringify(before));
  const { summary } = await runStep({
    with: { ...connection, paths: 'good.ipynb', previous: 'previous.json', artifact: '' },
    workspace,
  });
  expect(summary).toContain('Fixed (1)');
});

test('good runs are kept to compare outputs with', async () => {
  const workspace = repository.checkout();
  writeFileSync(join(workspace, 'noteburst.yaml'), 'regression: { against: last }\n');
  const step = () =>
    runStep({ with: { ...connection, paths: 'good.ipynb', baseline: 'good', artifact: '' }, workspace });
  expect((await step()).outputs['verdict']).toBe('passed');
  const kept = join(workspace, 'good/good.ipynb');
  writeFileSync(kept, readFileSync(kept, 'utf8').replace(String.raw`42\n`, String.raw`43\n`));
  const result = await step();
  expect(annotations(result)[0]?.properties).toMatchObject({
    title: 'Regression in good.ipynb',
    file: 'good.ipynb',
  });
  expect(result.outputs['verdict']).toBe('failed');
});

test('the first that fails ends all, when that is asked for', async () => {
  const { commands } = await runStep({
    with: { ...connection, 'fail-fast': 'true', jobs: '1', artifact: '' },
    workspace: repository.checkout(),
  });
  expect(commands.at(-1)?.message).toBe('1 of 4 notebooks failed; 3 not run to the end');
});

test('an upload that fails changes nothing of the verdict', async () => {
  github.refuseArtifacts = 400;
  const { code, outputs, commands } = await runStep({
    with: { ...connection, paths: 'good.ipynb', artifact: 'refused' },
    workspace: repository.checkout(),
    env: github.artifactEnv,
  });
  github.refuseArtifacts = undefined;
  expect(commands.filter(({ name }) => name === 'warning')).toHaveLength(1);
  expect(outputs).toMatchObject({ verdict: 'passed' });
  expect(code).toBe(0);
});

test('trouble with the service is told apart from notebooks that fail', async () => {
  const result = await runStep({
    with: { ...connection, token: 'gt-wrong.token', artifact: '' },
    workspace: repository.checkout(),
  });
  const [trouble, last] = annotations(result);
  expect(trouble?.properties).toEqual({ title: 'Trouble with the service: 4 notebooks could not be run' });
  expect(trouble?.message).toContain('The token is missing, wrong or has expired');
  expect(last?.message).toBe('4 notebooks could not be run for trouble with the service');
  expect(result.outputs).toMatchObject({ verdict: 'incomplete', passed: '0', failed: '0' });
  expect(result.code).toBe(1);
});

test.each([
  [{ token: '' }, 'There is no token'],
  [{ token: 'two words' }, 'The input token is no token'],
  [{ 'base-url': 'ftp://x' }, 'The input base-url should be an https address'],
  [{ timeout: 'soon' }, 'The input timeout: should be seconds, or a duration'],
  [{ jobs: '0' }, 'The input jobs should be a number from 1'],
  [{ parameters: '- 1' }, 'The input parameters: should hold names and values'],
  [{ suite: 'none.yaml' }, 'none.yaml: there is no such file'],
  [{ paths: 'none.ipynb' }, 'none.ipynb: there is no such file or folder'],
])('what is wrong in the workflow is told: %j', async (inputs, message) => {
  const { code, commands } = await runStep({
    with: { ...connection, ...inputs },
    workspace: repository.checkout(),
  });
  expect(commands.at(-1)).toMatchObject({ name: 'error', message: expect.stringContaining(message) });
  expect(code).toBe(1);
});
