/** Check runs on a GitHub that answers over real https. In this tier for its certificates. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { allowedHost, type AllowedHost } from '../../lib/outgoing/allowed-hosts.ts';
import { GivenUpError, RetryLaterError } from '../../workers/courier/errors.ts';
import { CheckRun, type Annotation, type CheckRunPlace } from '../../workers/courier/github/check-run.ts';
import { GithubApi } from '../../workers/courier/github/github-api.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { APP_ID, FakeGithub, INSTALLATION } from '../support/fake-github.ts';
import { GitRepository } from '../support/git-repository.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const before = getCACertificates('default');
const signal = new AbortController().signal;
const stack = new AsyncDisposableStack();
let github: FakeGithub;
let git: GitRepository;
let api: GithubApi;
let place: CheckRunPlace;

beforeAll(async () => {
  const ca = stack.use(await PrivateCa.make());
  setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]);
  stack.defer(() => setDefaultCACertificates(before));
  git = stack.use(new GitRepository('team/tutorials'));
  github = stack.use(await FakeGithub.start(ca, git));
}, 30_000);
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  github.checkRuns.length = 0;
  github.asked.length = 0;
  github.instead = () => undefined;
  api = apiWith(github.privateKey);
  place = {
    repository: git.name,
    commit: 'a'.repeat(40),
    token: () => api.token(INSTALLATION, git.name, { checks: 'write' }, signal),
    externalId: 'run-1',
    detailsUrl: 'https://data.example.org/noteburst/github/team/tutorials/run-1',
  };
});

function apiWith(privateKey: string): GithubApi {
  const hosts = [allowedHost(`internal:${github.host}`) as AllowedHost];
  const outgoing = new Outgoing(hosts);
  stack.defer(() => outgoing.close());
  return new GithubApi({ apiUrl: github.apiUrl, appId: APP_ID, privateKey }, outgoing);
}

const annotation = (n: number): Annotation => ({
  path: 'a.ipynb',
  start_line: n + 1,
  end_line: n + 1,
  annotation_level: 'failure',
  title: 'a',
  message: `m${n}`,
});
const some = (count: number) => Array.from({ length: count }, (_, n) => annotation(n));
const outcome = { conclusion: 'failure', title: '1 failed', summary: '# Text' } as const;

test('runs, and then shows what came of it', async () => {
  const run = await CheckRun.begin(api, place, signal);
  expect(github.checkRuns).toMatchObject([
    {
      name: 'Noteburst',
      status: 'in_progress',
      head_sha: place.commit,
      external_id: 'run-1',
      details_url: place.detailsUrl,
    },
  ]);
  await run.complete({ ...outcome, annotations: some(1) }, signal);
  expect(github.checkRuns).toMatchObject([
    {
      status: 'completed',
      conclusion: 'failure',
      output: { title: '1 failed', summary: '# Text', annotations: [annotation(0)] },
    },
  ]);
});

test.each([0, 50, 51, 120])(
  '%i annotations come in batches, and the end with the last of them',
  async (count) => {
    const run = await CheckRun.begin(api, place, signal);
    await run.complete({ ...outcome, annotations: some(count) }, signal);
    expect(github.checkRuns[0]?.output.annotations).toEqual(some(count));
    const ends = github.asked.filter(({ method }) => method === 'PATCH').map(({ body }) => body['status']);
    expect(ends).toEqual([...Array<undefined>(Math.max(0, Math.ceil(count / 50) - 1)), 'completed']);
  },
);

test('another attempt goes on with the same check run, and tells nothing twice', async () => {
  const run = await CheckRun.begin(api, place, signal);
  let patches = 0;
  github.instead = ({ method }) => (method === 'PATCH' && ++patches === 2 ? { status: 400 } : undefined);
  await expect(run.complete({ ...outcome, annotations: some(70) }, signal)).rejects.toThrow(GivenUpError);
  github.instead = () => undefined;
  const again = await CheckRun.begin(apiWith(github.privateKey), place, signal);
  await again.complete({ ...outcome, annotations: some(70) }, signal);
  expect(github.checkRuns).toHaveLength(1);
  expect(github.checkRuns[0]).toMatchObject({ status: 'completed' });
  expect(github.checkRuns[0]?.output.annotations).toEqual(some(70));
});

test('a run of another cause is another check run', async () => {
  await CheckRun.begin(api, place, signal);
  await CheckRun.begin(api, { ...place, externalId: 'run-2' }, signal);
  expect(github.checkRuns.map(({ external_id: id }) => id)).toEqual(['run-1', 'run-2']);
});

test.each([
  ['a fault', { status: 502 }],
  ['too many requests', { status: 429, headers: { 'Retry-After': '0' } }],
  ['a limit told by 403', { status: 403, headers: { 'Retry-After': '0' } }],
])('%s that passes is waited for', async (_, reply) => {
  let asked = 0;
  github.instead = () => (++asked < 3 ? reply : undefined);
  await CheckRun.begin(api, place, signal);
  expect(github.checkRuns).toHaveLength(1);
});

test('a check run whose making was not answered is looked for before another is made', async () => {
  await place.token();
  github.lostAnswers = 1;
  const run = await CheckRun.begin(api, place, signal);
  const posts = github.asked.filter(({ path, method }) => method === 'POST' && path.endsWith('/check-runs'));
  expect(posts).toHaveLength(1);
  await run.complete(outcome, signal);
  expect(github.checkRuns).toMatchObject([{ external_id: 'run-1', status: 'completed' }]);
});

test('a check run is found behind a hundred others', async () => {
  await CheckRun.begin(api, place, signal);
  const others = Array.from({ length: 100 }, (_, n) => ({ id: 1_000 + n, external_id: `other-${n}` }));
  let pages = 0;
  github.instead = ({ method, path }) => {
    if (method !== 'GET' || !path.endsWith('/check-runs')) return undefined;
    const page = ++pages === 1 ? others : github.checkRuns;
    return { status: 200, json: { total_count: 101, check_runs: page } };
  };
  await CheckRun.begin(api, place, signal);
  expect(pages).toBe(2);
  expect(github.checkRuns).toHaveLength(1);
});

test('a limit that lasts is left to a later attempt, which knows how long', async () => {
  const reset = Math.floor(Date.now() / 1_000) + 1_800;
  const headers = { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': String(reset) };
  github.instead = () => ({ status: 403, json: { message: 'API rate limit exceeded' }, headers });
  const error = await CheckRun.begin(api, place, signal).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(RetryLaterError);
  expect((error as RetryLaterError).afterMs).toBeGreaterThan(1_700_000);
  expect(github.asked).toHaveLength(1);
});

test('what is not allowed is not tried again, and is told without what was sent', async () => {
  const token = await api.token(INSTALLATION, git.name, { contents: 'read' }, signal);
  github.asked.length = 0;
  const error = await CheckRun.begin(api, { ...place, token: async () => token }, signal).catch(
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(GivenUpError);
  expect((error as Error).message).toContain('Resource not accessible by integration');
  expect(JSON.stringify([error, (error as Error).stack])).not.toContain('canary');
  expect(github.asked).toHaveLength(1);
});

test('a token is for one repository and as little as is needed, and is asked for once', async () => {
  await place.token();
  await place.token();
  const asked = github.asked.filter(({ path }) => path.endsWith('/access_tokens'));
  expect(asked.map(({ body }) => body)).toMatchObject([
    { repositories: ['tutorials'], permissions: { checks: 'write' } },
  ]);
  expect(asked).toHaveLength(1);
});

test('the key of another app is refused', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const other = apiWith(privateKey.export({ type: 'pkcs1', format: 'pem' }) as string);
  await expect(other.token(INSTALLATION, git.name, { checks: 'write' }, signal)).rejects.toThrow(
    GivenUpError,
  );
});

test('what need not be there is undefined; to all else 404 is a refusal', async () => {
  const token = await place.token();
  const asked = ['GET /repos/{owner}/{repo}', { owner: 'x', repo: 'y' }, signal] as const;
  expect(await api.lookFor(token, ...asked)).toBeUndefined();
  await expect(api.ask(token, ...asked)).rejects.toThrow(GivenUpError);
});

test.each(['GET', 'POST'])('a repository that is gone for a %s is given up at once', async (method) => {
  github.instead = (asked) =>
    asked.method === method && asked.path.endsWith('/check-runs') ? { status: 404 } : undefined;
  const begun = CheckRun.begin(api, place, signal);
  await expect(begun).rejects.toThrow(GivenUpError);
  await expect(begun).rejects.toThrow('404');
});

test('an end that is answered by 404 has not been shown', async () => {
  const run = await CheckRun.begin(api, place, signal);
  github.instead = ({ method }) => (method === 'PATCH' ? { status: 404 } : undefined);
  await expect(run.complete(outcome, signal)).rejects.toThrow(GivenUpError);
});
