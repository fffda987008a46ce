import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { FakeGithub } from './support/github.ts';
import { notebookFile } from './support/notebooks.ts';
import { Repository } from './support/repository.ts';
import { runStep, type StepResult } from './support/runner.ts';
import { TokenExchange } from './support/token-exchange.ts';

const { baseUrl, token } = inject('noteburst');

let github: FakeGithub;
let exchange: TokenExchange;
let repository: Repository;
beforeAll(async () => {
  github = await FakeGithub.start();
  exchange = await TokenExchange.start(github, token, 'platform.example');
  repository = new Repository({ 'a.ipynb': notebookFile('1') });
});
afterAll(async () => {
  repository[Symbol.dispose]();
  await exchange[Symbol.asyncDispose]();
  await github[Symbol.asyncDispose]();
});

function step(audience: string, env: Record<string, string>): Promise<StepResult> {
  const inputs = {
    'base-url': baseUrl,
    'token-exchange-url': exchange.url,
    audience,
    paths: 'a.ipynb',
    artifact: '',
  };
  return runStep({ with: inputs, workspace: repository.checkout(), env });
}

test("a token is had for the job's own, also when the platform is away at first, and shown nowhere", async () => {
  exchange.away = 1;
  const { code, outputs, commands, printed } = await step('platform.example', github.oidcEnv);
  expect([code, outputs['verdict']]).toEqual([0, 'passed']);
  const masks = commands.filter(({ name }) => name === 'add-mask').map(({ message }) => message);
  expect(masks).toEqual([expect.stringMatching(/^eyJ/), token]);
  const rest = printed.replaceAll(/^::add-mask::.*$/gm, '');
  for (const mask of masks) expect(rest).not.toContain(mask);
});

test('a job that may have no OIDC token is told what it lacks', async () => {
  const { code, commands } = await step('platform.example', {});
  expect(commands.at(-1)?.message).toContain('it needs the permission id-token: write');
  expect(code).toBe(1);
});

test('what the platform refuses is told in its words', async () => {
  const { code, commands } = await step('somebody.else', github.oidcEnv);
  expect(commands.at(-1)?.message).toContain('invalid_request: the subject token is not valid (HTTP 400)');
  expect(code).toBe(1);
});

test('of repositories that it does not trust, too', async () => {
  exchange.repositories = [];
  const { commands } = await step('platform.example', github.oidcEnv);
  expect(commands.at(-1)?.message).toContain('invalid_target: example/notebooks may not run notebooks');
});
