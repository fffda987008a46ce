/** The fake of GitHub behaves as GitHub is documented. In this tier for its certificates. */
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { allowedHost, type AllowedHost } from '../../lib/outgoing/allowed-hosts.ts';
import { GithubApi, type Permissions } from '../../workers/courier/github/github-api.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { APP_ID, FakeGithub, INSTALLATION } from '../support/fake-github.ts';
import { GitRepository } from '../support/git-repository.ts';
import { assertAnswer, example } from '../support/github-api/published.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const before = getCACertificates('default');
const stack = new AsyncDisposableStack();
const signal = new AbortController().signal;
let github: FakeGithub;
let git: GitRepository;
let tokenFor: (permissions: Permissions) => Promise<string>;

beforeAll(async () => {
  const ca = stack.use(await PrivateCa.make());
  setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]);
  stack.defer(() => setDefaultCACertificates(before));
  git = stack.use(new GitRepository('team/tutorials'));
  github = stack.use(await FakeGithub.start(ca, git));
  const { privateKey, apiUrl, host } = github;
  const outgoing = new Outgoing([allowedHost(`internal:${host}`) as AllowedHost]);
  stack.defer(() => outgoing.close());
  const api = new GithubApi({ apiUrl, appId: APP_ID, privateKey }, outgoing);
  tokenFor = (permissions) => api.token(INSTALLATION, git.name, permissions, signal);
}, 30_000);
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  github.checkRuns.length = 0;
});

interface Answer {
  status: number;
  link: string | null;
  json: Record<string, unknown>;
}

/** @param path below the repository, or a URL */
async function ask(path: string, permissions: Permissions, body?: object, method = 'POST'): Promise<Answer> {
  const url = path.startsWith('https:') ? path : `${github.apiUrl}/repos/${git.name}${path}`;
  const headers = { Authorization: `token ${await tokenFor(permissions)}` };
  const response = await fetch(url, { headers, ...(body && { method, body: JSON.stringify(body) }) });
  const json = (await response.json()) as Answer['json'];
  return { status: response.status, link: response.headers.get('link'), json };
}

const CHECKS = { checks: 'write' } as const;
const CONTENTS = { contents: 'read' } as const;
const sha = 'a'.repeat(40);
const begin = (more: object = {}) =>
  ask('/check-runs', CHECKS, { name: 'Noteburst', head_sha: sha, ...more });
const idsOf = ({ json }: Answer) => (json['check_runs'] as { id: number }[]).map(({ id }) => id);

test('check runs come in pages, the newest first, and those of one name as the newest alone', async () => {
  for (let n = 0; n < 5; n++) await begin({ external_id: String(n) });
  await begin({ name: 'Other' });
  const of = `/commits/${sha}/check-runs`;
  const first = await ask(`${of}?check_name=Noteburst&filter=all&per_page=2`, CHECKS);
  expect(idsOf(first)).toEqual([5, 4]);
  expect(first.json['total_count']).toBe(5);
  const next = /<([^>]+)>; rel="next"/.exec(first.link ?? '')?.[1] ?? '';
  const second = await ask(next, CHECKS);
  expect(idsOf(second)).toEqual([3, 2]);
  const third = await ask(/<([^>]+)>; rel="next"/.exec(second.link ?? '')?.[1] ?? '', CHECKS);
  expect(idsOf(third)).toEqual([1]);
  expect(third.link).not.toContain('rel="next"');
  expect(idsOf(await ask(of, CHECKS))).toEqual([6, 5]);
  expect(idsOf(await ask(`${of}?app_id=1`, CHECKS))).toEqual([]);
});

const annotation = { path: 'a', start_line: 1, end_line: 1, annotation_level: 'failure', message: 'm' };
test.each<[string, object]>([
  ['51 annotations', { annotations: Array.from({ length: 51 }, () => annotation) }],
  ['an annotation on no line', { annotations: [{ ...annotation, start_line: 0 }] }],
  ['an annotation without a message', { annotations: [{ ...annotation, message: undefined }] }],
  ['a message of more than 64 KB', { annotations: [{ ...annotation, message: 'x'.repeat(65_537) }] }],
  ['a long summary', { summary: 'x'.repeat(65_536) }],
  ['a long title', { title: 'x'.repeat(256) }],
])('%s: 422, and nothing is kept of it', async (_, output) => {
  const whole = { title: 't', summary: 's', ...output };
  expect((await begin({ output: whole })).status).toBe(422);
  expect(github.checkRuns).toEqual([]);
  await begin();
  expect((await ask('/check-runs/1', CHECKS, { output: whole }, 'PATCH')).status).toBe(422);
  expect(github.checkRuns[0]?.output).toEqual({ annotations_count: 0, annotations: [] });
});

test('an end wants a conclusion, and one that runs again has none', async () => {
  await begin();
  const patch = (body: object) => ask('/check-runs/1', CHECKS, body, 'PATCH');
  expect((await patch({ status: 'completed' })).status).toBe(422);
  expect((await patch({ conclusion: 'success' })).json).toMatchObject({ status: 'completed' });
  expect((await patch({ status: 'in_progress' })).json).toMatchObject({ conclusion: null });
});

test('who may do what', async () => {
  const unknown = await fetch(`${github.apiUrl}/repos/${git.name}`, {
    headers: { Authorization: 'token ghs_guessed' },
  });
  expect(unknown.status).toBe(401);
  expect((await ask('/check-runs', CONTENTS, { name: 'a', head_sha: sha })).status).toBe(403);
  expect((await ask(`/commits/${sha}/check-runs`, CONTENTS)).status).toBe(403);
  expect((await ask('/contents/a.txt', CHECKS)).status).toBe(403);
  expect((await ask(`${github.apiUrl}/repos/team/other`, CONTENTS)).status).toBe(404);
  await expect(tokenFor({ contents: 'write' })).rejects.toThrow('422');
});

test('an answer that is lost is of something that was done', async () => {
  // The token's own POST is not the one.
  await tokenFor(CHECKS);
  github.lostAnswers = 1;
  expect((await begin()).status).toBe(502);
  expect(github.checkRuns).toHaveLength(1);
  expect((await begin()).status).toBe(201);
});

test('contents are those of the ref', async () => {
  const first = git.commit({
    'suite.yaml': 'one',
    'dir/a.txt': 'a',
    link: { link: '../x' },
    module: { submodule: 'b'.repeat(40) },
    'large.bin': Buffer.alloc(1024 * 1024 + 1),
  });
  git.commit({ 'suite.yaml': 'two' });
  git.git('tag', 'v1', first);
  const at = async (path: string, ref = first) => (await ask(`/contents/${path}?ref=${ref}`, CONTENTS)).json;
  const text = ({ content }: Answer['json']) => Buffer.from(content as string, 'base64').toString();
  expect(
    [await at('suite.yaml'), await at('suite.yaml', 'v1'), await at('suite.yaml', 'main')].map(text),
  ).toEqual(['one', 'one', 'two']);
  expect(await at('dir')).toMatchObject([{ type: 'file', path: 'dir/a.txt', size: 1 }]);
  expect(await at('link')).toMatchObject({ type: 'symlink', target: '../x' });
  expect(await at('module')).toMatchObject({ type: 'submodule', sha: 'b'.repeat(40) });
  expect(await at('large.bin')).toMatchObject({ type: 'file', encoding: 'none', content: '' });
  expect((await ask('/contents/none', CONTENTS)).status).toBe(404);
  expect((await ask('/contents/suite.yaml?ref=none', CONTENTS)).status).toBe(404);
  expect((await ask('/commits/v1', CONTENTS)).json).toMatchObject({ sha: first });
  expect((await ask('/commits/none', CONTENTS)).status).toBe(422);
});

test('an answer that GitHub would not give is an error of the fake', () => {
  const route = 'GET /repos/{owner}/{repo}/check-runs/{check_run_id}';
  const recorded = example(route);
  assertAnswer(route, { status: 200, json: recorded });
  const { head_sha: _, ...without } = recorded;
  expect(() => assertAnswer(route, { status: 200, json: without })).toThrow("required property 'head_sha'");
  expect(() => assertAnswer(route, { status: 201, json: recorded })).toThrow('201 in the place of 200');
});
