/** From a webhook of GitHub's to the check run on the commit: everything is real but GitHub. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ManagedProcess } from '../../platform/process/managed-process.ts';
import { APP_ID, FakeGithub } from '../support/fake-github.ts';
import { GitRepository } from '../support/git-repository.ts';
import type { ShownCheckRun } from '../support/github-api/check-runs.ts';
import {
  delivery,
  pullRequestDelivery,
  pushDelivery,
  rerunDelivery,
  WEBHOOK_SECRET,
} from '../support/github-deliveries.ts';
import { ServiceProxy } from '../support/service-proxy.ts';
import { Stack } from '../support/stack.ts';
import { notebookText } from '../support/suite-notebooks.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const SCHEDULE_SECRET = 'a schedule that is a canary';
const NAME = 'team/tutorials';
const SUITE = `name: Tutorials
include: ["**/*.ipynb", "docs/*.md", "scripts/*.py"]
defaults: { kernel: python3, timeout: 2m }
`;
const PAGE = '# Title\n\nText\n\n```python\na = 1\n```\n\nMore\n\n```python\nb = a + 1\nb / 0\n```\n';
const SCRIPT = '# %% [markdown]\n# Text\n\n# %%\na = 1\n\n# %%\na + missing\n';

const owned = new AsyncDisposableStack();
let dir: string;
let stack: Stack;
let github: FakeGithub;
let git: GitRepository;
let service: ServiceProxy;
let functionUrl: string;
let courierEnv: Record<string, string>;
let functionProcess: ManagedProcess;
/** The last of them is the one that lives. */
const couriers: ManagedProcess[] = [];

beforeAll(async () => {
  const ca = owned.use(await PrivateCa.make());
  dir = mkdtempSync(join(tmpdir(), 'noteburst-suites-'));
  owned.defer(() => rmSync(dir, { recursive: true, force: true }));
  git = owned.use(new GitRepository(NAME));
  github = owned.use(await FakeGithub.start(ca, git));
  stack = owned.use(await Stack.start({ executorEnv: { NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '4' } }));
  service = owned.use(await ServiceProxy.start(stack));
  const files = { key: join(dir, 'key.pem'), token: join(dir, 'token') };
  writeFileSync(files.key, github.privateKey);
  writeFileSync(files.token, `${service.token}\n`);
  const common = { NOTEBURST_GITHUB_REPOSITORIES: NAME };
  courierEnv = {
    ...common,
    NOTEBURST_GITHUB_APP_ID: APP_ID,
    NOTEBURST_GITHUB_PRIVATE_KEY_PATH: files.key,
    NOTEBURST_GITHUB_TOKEN_PATH: files.token,
    NOTEBURST_GITHUB_SERVICE_URL: service.url,
    NOTEBURST_GITHUB_HOST: `internal:${github.host}`,
    NOTEBURST_GITHUB_CACHE_PATH: join(dir, 'cache'),
    NODE_EXTRA_CA_CERTS: ca.path,
    GIT_SSL_CAINFO: ca.path,
  };
  ({ url: functionUrl, process: functionProcess } = await stack.startGithub({
    ...common,
    NOTEBURST_GITHUB_WEBHOOK_SECRETS: WEBHOOK_SECRET,
    NOTEBURST_GITHUB_SCHEDULE_SECRETS: SCHEDULE_SECRET,
  }));
  await startCourier();
  const executor = await stack.startExecutor();
  await executor.ready();
});
afterAll(() => owned.disposeAsync());

const startCourier = async () => void couriers.push(await stack.startCourier(courierEnv));
const send = async (event: string, payload: object) =>
  (await fetch(`${functionUrl}/webhook`, delivery(event, payload))).status;
const checkOf = (commit: string) => github.checkRuns.filter(({ head_sha: sha }) => sha === commit);
/** The one check run of a commit, when it has ended. */
async function verdict(commit: string): Promise<ShownCheckRun> {
  const ended = () => checkOf(commit).some(({ status }) => status === 'completed');
  await vi.waitUntil(ended, { timeout: 50_000, interval: 50 });
  const [check, ...others] = checkOf(commit);
  expect(others).toEqual([]);
  return check as ShownCheckRun;
}
const lineOf = (text: string, part: string) => text.split('\n').findIndex((line) => line.includes(part)) + 1;
/** A notebook that runs until it is released; its timeout ends it otherwise. */
function heldNotebook(name: string) {
  const file = join(dir, name);
  const wait = `while not os.path.exists(${JSON.stringify(file)}):\n    time.sleep(0.05)`;
  return { text: notebookText([`import os, time\n${wait}`]), release: () => writeFileSync(file, '') };
}
const submissions = () => service.asked.filter(({ method }) => method === 'POST');

test('a recorded merge: the notebooks of that commit are run, and the check run shows which failed, and where', async () => {
  const failing = notebookText(['a = 1', 'def f():\n    return a / 0\n\nf()']);
  const commit = git.commit({
    'noteburst.yaml': SUITE,
    'good.ipynb': notebookText(['print(6 * 7)']),
    'deep/failing.ipynb': failing,
    'docs/page.md': PAGE,
    'scripts/script.py': SCRIPT,
    'README.md': '```python\nraise RuntimeError("not a sample of the suite")\n```\n',
  });
  // What comes later is not what is run.
  git.commit({ 'deep/failing.ipynb': notebookText(['1']) });
  const merge = pullRequestDelivery(NAME, commit, { action: 'closed', merged: true });
  expect(await send('pull_request', merge)).toBe(202);
  const check = await verdict(commit);
  expect(check).toMatchObject({
    name: 'Noteburst',
    conclusion: 'failure',
    output: { title: '3 failed, 1 passed' },
  });
  const at = (path: string, text: string, part: string, message: RegExp) => {
    const line = lineOf(text, part);
    const where = { path, start_line: line, end_line: line, annotation_level: 'failure' };
    return expect.objectContaining({ ...where, message: expect.stringMatching(message) });
  };
  expect(check.output.annotations).toEqual([
    at('deep/failing.ipynb', failing, 'return a / 0', /^ZeroDivisionError/),
    at('docs/page.md', PAGE, 'b / 0', /^ZeroDivisionError/),
    at('scripts/script.py', SCRIPT, 'missing', /^NameError/),
  ]);
  expect(check.output.summary).toMatch(/3 failed, 1 passed[^]*ZeroDivisionError/);
  expect(check.output.annotations[0]?.raw_details).toContain('Traceback');

  // The report is where the check run says.
  const path = new URL(check.details_url).pathname.replace('/noteburst/github', '');
  const headers = await stack.identity('alice');
  const page = await fetch(functionUrl + path, { headers: { ...headers, Accept: 'text/html' } });
  const html = await page.text();
  expect(html).toContain('scripts/script.py');
  expect(html).not.toContain(service.url);
  // Bob is not whose notebooks they are, and has the one that failed.
  const [, href] = /href="([^"]*failing\.ipynb)"/.exec(html) ?? [];
  const file = new URL(href ?? '', `${functionUrl}${path}`);
  const bob = { headers: await stack.identity('bob') };
  expect(await (await fetch(file, bob)).json()).toMatchObject({
    cells: [{ execution_count: 1 }, { outputs: [{ ename: 'ZeroDivisionError' }] }],
  });
  expect((await fetch(file)).status).toBe(401);
  const listed = await (await fetch(`${functionUrl}/${NAME}`, { headers })).json();
  expect(listed).toMatchObject({
    runs: [{ commit, event: 'merge', pull_request: 7, conclusion: 'failure' }],
  });
});

test('forged and replayed deliveries run nothing, and leave nothing but a line in the log', async () => {
  const commit = git.commitOnly({ 'noteburst.yaml': SUITE, 'good.ipynb': notebookText(['1']) });
  const forged = delivery('push', pushDelivery(NAME, commit), { secret: 'a secret that was guessed' });
  const refused = async (request: ReturnType<typeof delivery>) =>
    (await fetch(`${functionUrl}/webhook`, request)).status;
  expect(await refused(forged)).toBe(401);
  const genuine = delivery('push', pushDelivery(NAME, commit));
  expect(await refused(genuine)).toBe(202);
  expect(await verdict(commit)).toMatchObject({ conclusion: 'success' });
  const before = { checks: structuredClone(github.checkRuns), submitted: submissions().length };
  genuine.headers['X-GitHub-Delivery'] = crypto.randomUUID();
  expect(await refused(genuine)).toBe(409);
  // Whatever it had begun, what comes behind it would have shown.
  const next = git.commit({ 'a.ipynb': notebookText(['2']) });
  await send('push', pushDelivery(NAME, next));
  await verdict(next);
  expect(github.checkRuns.filter(({ head_sha: sha }) => sha !== next)).toEqual(before.checks);
  expect(submissions().length).toBe(before.submitted + 2);
});

test('a courier that is killed over it: another goes on with the notebooks that run, and with the check run', async () => {
  const held = heldNotebook('killed');
  const commit = git.commitOnly({
    'noteburst.yaml': SUITE,
    'good.ipynb': held.text,
    'a.ipynb': notebookText(['1']),
  });
  const before = submissions().length;
  await send('push', pushDelivery(NAME, commit));
  await vi.waitUntil(() => submissions().length >= before + 2, { timeout: 20_000, interval: 20 });
  couriers.at(-1)?.kill('SIGKILL');
  await couriers.at(-1)?.exited;
  await startCourier();
  await vi.waitUntil(() => submissions().length >= before + 4, { timeout: 20_000, interval: 20 });
  held.release();
  expect(await verdict(commit)).toMatchObject({ conclusion: 'success', output: { title: '2 passed' } });
  const keys = submissions()
    .slice(before)
    .map(({ key }) => key);
  expect(keys).toHaveLength(4);
  expect(new Set(keys).size).toBe(2);
  expect(service.asked.filter(({ method }) => method === 'DELETE')).toEqual([]);
});

test('a courier that has to go gives it back, and cancels nothing', async () => {
  const held = heldNotebook('given-back');
  const commit = git.commit({ 'good.ipynb': held.text });
  const before = submissions().length;
  await send('push', pushDelivery(NAME, commit));
  await vi.waitUntil(() => submissions().length >= before + 2, { timeout: 20_000, interval: 20 });
  const begun = performance.now();
  await couriers.at(-1)?.stop();
  // Not for its end.
  expect(performance.now() - begun).toBeLessThan(15_000);
  held.release();
  await startCourier();
  expect(await verdict(commit)).toMatchObject({ conclusion: 'success' });
  expect(service.asked.filter(({ method }) => method === 'DELETE')).toEqual([]);
});

test('a suite that couriers die of is given up, and runs again when somebody asks for it', async () => {
  const held = heldNotebook('died-of');
  const commit = git.commitOnly({ 'noteburst.yaml': SUITE, 'good.ipynb': held.text });
  const before = submissions().length;
  await send('push', pushDelivery(NAME, commit));
  for (let losses = 1; losses <= 4; losses++) {
    await vi.waitUntil(() => submissions().length >= before + losses, { timeout: 20_000, interval: 20 });
    couriers.at(-1)?.kill('SIGKILL');
    await couriers.at(-1)?.exited;
    await startCourier();
  }
  const { conclusion, output } = await verdict(commit);
  expect([conclusion, output.summary]).toEqual(['failure', expect.stringContaining('was lost 4 times')]);
  expect(submissions()).toHaveLength(before + 4);
  held.release();
  expect(await send('check_run', rerunDelivery('check_run', NAME, commit))).toBe(202);
  const again = () => checkOf(commit).find(({ external_id: id }) => id !== checkOf(commit)[0]?.external_id);
  await vi.waitUntil(() => again()?.status === 'completed', { timeout: 50_000, interval: 50 });
  expect(again()).toMatchObject({ name: 'Noteburst', conclusion: 'success' });
});

test.each([
  ['no suite file', { 'noteburst.yaml': undefined }, 'neutral', 'There is no noteburst.yaml'],
  ['one that is wrong', { 'noteburst.yaml': 'includes: x\n' }, 'action_required', 'The suite cannot be run'],
  [
    'one that leads out',
    { 'noteburst.yaml': 'include: "../**/*.md"\n' },
    'action_required',
    'The suite cannot be run',
  ],
  [
    'nothing to run',
    { 'noteburst.yaml': 'include: "x/*.py"\n' },
    'action_required',
    'The suite cannot be run',
  ],
])('a repository with %s is told so', async (_, files, conclusion, title) => {
  const { 'noteburst.yaml': text } = files;
  if (text === undefined) git.git('rm', '--quiet', '--ignore-unmatch', 'noteburst.yaml');
  const commit = git.commit(text === undefined ? {} : { 'noteburst.yaml': text });
  await send('push', pushDelivery(NAME, commit));
  expect(await verdict(commit)).toMatchObject({ conclusion, output: { title, annotations: [] } });
});

test('nothing of what is secret is in a log', () => {
  const logs = [functionProcess, ...couriers].map(({ logFile }) => readFileSync(logFile, 'utf8'));
  expect(logs.join('')).toMatch(/delivery refused[^]*courier job done/);
  expect(logs.join('')).not.toMatch(/canary|BEGIN RSA|x-access-token/);
});
