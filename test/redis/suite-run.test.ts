/** Runs of repositories' suites, on a GitHub that answers over real https, and a service that takes no notebook. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SuiteJobData } from '../../lib/contract/suite-job.ts';
import { allowedHost, type AllowedHost } from '../../lib/outgoing/allowed-hosts.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import { GithubApi } from '../../workers/courier/github/github-api.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { Repositories } from '../../workers/courier/repositories/repositories.ts';
import { suiteRunner } from '../../workers/courier/suites/run-repository.ts';
import { APP_ID, FakeGithub, INSTALLATION } from '../support/fake-github.ts';
import { GitRepository } from '../support/git-repository.ts';
import { capturedLog } from '../support/log.ts';
import { redisOfFile } from '../support/redis.ts';
import { notebookText } from '../support/suite-notebooks.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const before = getCACertificates('default');
const file = await redisOfFile();
const runs = new SuiteRuns(file.redis);
const stack = new AsyncDisposableStack();
const { log, lines } = capturedLog();
let github: FakeGithub;
let git: GitRepository;
let run: (commit: string, id: string) => Promise<void>;

beforeAll(async () => {
  const ca = stack.use(await PrivateCa.make());
  setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]);
  stack.defer(() => setDefaultCACertificates(before));
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-suite-run-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  git = stack.use(new GitRepository('team/tutorials'));
  github = stack.use(await FakeGithub.start(ca, git));
  const service = createServer((_, response) => void response.writeHead(403).end());
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  stack.defer(() => {
    service.close();
    service.closeAllConnections();
  });
  const outgoing = new Outgoing([allowedHost(`internal:${github.host}`) as AllowedHost]);
  stack.defer(() => outgoing.close());
  const tokenPath = join(dir, 'token');
  writeFileSync(tokenPath, 'gt-a.secret');
  const { privateKey, apiUrl, host } = github;
  const limits = { files: 100, bytes: 2 ** 20 };
  const suite = suiteRunner({
    config: {
      hostUrl: `https://${host}`,
      serviceUrl: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
      tokenPath,
    },
    api: new GithubApi({ apiUrl, appId: APP_ID, privateKey }, outgoing),
    repositories: new Repositories({
      outgoing,
      dir,
      maxBytes: 2 ** 22,
      timeoutMs: 20_000,
      limits,
      caPath: ca.path,
    }),
    runs,
    reportsUrl: 'https://data.example.org/noteburst/github',
    log,
  });
  run = (commit, id) => {
    const of = { repository: git.name, commit, installation: INSTALLATION, branch: 'main' } as const;
    const data: SuiteJobData = { version: 1, run: id, ...of, event: 'push' };
    return suite({ data, attempt: 1, isLast: true, signal: new AbortController().signal });
  };
}, 30_000);
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  github.checkRuns.length = 0;
  github.asked.length = 0;
  lines.length = 0;
  github.instead = () => undefined;
  await file.redis.flushdb();
});

const id = 'a'.repeat(32);
const SUITE = 'include: "**/*.ipynb"\n';

test('an earlier report that is not understood any more is compared with nothing', async () => {
  const commit = git.commitOnly({ 'noteburst.yaml': SUITE, 'a.ipynb': notebookText(['1']) });
  const of = { repository: git.name, branch: 'main', commit, event: 'push', state: 'ended' } as const;
  const earlier = { id: 'b'.repeat(32), ...of, started: '2026-11-20T10:00:00.000Z' };
  await runs.write(earlier, { report: '{"version":0,"results":{}}' });
  await run(commit, id);
  expect(github.checkRuns).toMatchObject([{ status: 'completed', output: { title: '1 could not be run' } }]);
  expect(JSON.parse((await runs.lastReport(git.name, 'main')) ?? '')).toMatchObject({ revision: commit });
});

test.each([
  ['what came of it', 1, 'completed'],
  ['its end at all', 2, 'in_progress'],
])('GitHub does not take %s: the run has ended, and the log is told', async (_, refusals, status) => {
  const commit = git.commitOnly({ 'noteburst.yaml': SUITE, 'a.ipynb': notebookText(['1']) });
  let ends = 0;
  github.instead = ({ body }) =>
    body['status'] === 'completed' && ++ends <= refusals
      ? { status: 422, json: { message: 'Invalid request.' } }
      : undefined;
  await expect(run(commit, id)).rejects.toThrow('GitHub refused it (422)');
  expect(ends).toBe(2);
  expect(github.checkRuns).toMatchObject([{ status, output: { annotations: [] } }]);
  expect(await runs.find(id)).toMatchObject({ state: 'ended', title: '1 could not be run' });
});

test('what kept a suite from being run is in the log in the words of who knows it, without secrets', async () => {
  git.commitOnly({ 'noteburst.yaml': SUITE });
  await run('b'.repeat(40), id);
  const { summary, title } = github.checkRuns[0]?.output ?? {};
  expect([title, summary]).toEqual([
    'The suite could not be run',
    expect.not.stringContaining('not our ref'),
  ]);
  expect(lines.join('')).toMatch(/suite could not be run/);
  expect(lines.join('')).toMatch(/The commit is not there.*not our ref/);
  expect(lines.join('')).not.toMatch(/canary|Basic/);
});

test('what GitHub answered is the cause of what is thrown', async () => {
  const commit = git.commitOnly({ 'noteburst.yaml': SUITE });
  github.instead = () => ({ status: 422, json: { message: 'Invalid request.' } });
  await expect(run(commit, id)).rejects.toMatchObject({ cause: { status: 422 } });
});
