/** Schedules of repositories, on a GitHub that answers over real https. */
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SuiteJobData } from '../../lib/contract/suite-job.ts';
import { allowedHost, type AllowedHost } from '../../lib/outgoing/allowed-hosts.ts';
import { schedulesKey } from '../../lib/queue/github-keys.ts';
import { GithubApi } from '../../workers/courier/github/github-api.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { scheduleKeeper } from '../../workers/courier/suites/schedules.ts';
import { APP_ID, FakeGithub, INSTALLATION } from '../support/fake-github.ts';
import { GitRepository, type Content } from '../support/git-repository.ts';
import { capturedLog } from '../support/log.ts';
import { redisOfFile } from '../support/redis.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const before = getCACertificates('default');
const file = await redisOfFile();
const stack = new AsyncDisposableStack();
const { log, lines } = capturedLog();
let github: FakeGithub;
let git: GitRepository;
let added: { id: string; data: SuiteJobData }[];
/** Before something is added. */
let adding: () => Promise<void>;
let look: (at: string) => Promise<void>;

beforeAll(async () => {
  const ca = stack.use(await PrivateCa.make());
  setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]);
  stack.defer(() => setDefaultCACertificates(before));
  git = stack.use(new GitRepository('team/tutorials'));
  github = stack.use(await FakeGithub.start(ca, git));
  const outgoing = new Outgoing([allowedHost(`internal:${github.host}`) as AllowedHost]);
  stack.defer(() => outgoing.close());
  const { privateKey, apiUrl } = github;
  const api = new GithubApi({ apiUrl, appId: APP_ID, privateKey }, outgoing);
  const add = async (id: string, data: SuiteJobData) => {
    await adding();
    added.push({ id, data });
  };
  // One where the app is not must not keep another from being looked at.
  const repositories = ['stranger/notes', 'other/*', git.name];
  // Each by a courier of its own: one courier looks once at a time.
  look = async (at) =>
    scheduleKeeper({ redis: file.redis, api, repositories, add, log })({
      data: { version: 1, at_ms: Date.parse(at) },
      attempt: 1,
      losses: 0,
      isLast: false,
      signal: new AbortController().signal,
    });
}, 30_000);
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  added = [];
  adding = async () => undefined;
  lines.length = 0;
  await file.redis.flushdb();
});

const kept = () => file.redis.hgetall(schedulesKey(git.name));
const NIGHTLY = 'schedules: [{ name: nightly, cron: "30 2 * * *" }]\n';

test('what has come since it was looked at last is run, at the head of the default branch', async () => {
  const commit = git.commit({ 'noteburst.yaml': NIGHTLY });
  // From when it is known on: what was before that nobody has missed.
  await look('2026-11-20T02:31:00Z');
  await look('2026-11-21T02:29:59Z');
  expect(added).toEqual([]);
  await look('2026-11-21T02:30:00Z');
  await look('2026-11-21T02:31:00Z');
  expect(added.map(({ data }) => data)).toEqual([
    {
      version: 1,
      run: expect.stringMatching(/^[0-9a-f]{32}$/),
      repository: git.name,
      commit,
      installation: INSTALLATION,
      branch: 'main',
      event: 'schedule',
      schedule: 'nightly',
    },
  ]);
  expect(lines.join('')).toContain('stranger/notes');
});

test('what was missed is caught up once', async () => {
  git.commit({ 'noteburst.yaml': 'schedules: [{ cron: "0 * * * *" }]\n' });
  await look('2026-11-20T00:30:00Z');
  await look('2026-11-20T07:30:00Z');
  await look('2026-11-20T07:31:00Z');
  expect(added).toHaveLength(1);
  await look('2026-11-20T08:00:00Z');
  expect(added).toHaveLength(2);
});

test('two at once, and one that died over it, start it under the same id', async () => {
  git.commit({ 'noteburst.yaml': NIGHTLY });
  await look('2026-11-20T12:00:00Z');
  await Promise.all([look('2026-11-21T02:30:10Z'), look('2026-11-21T02:30:20Z')]);
  expect(new Set(added.map(({ id }) => id)).size).toBe(1);
});

test('a look that took long does not take back what a later one has seen', async () => {
  git.commit({ 'noteburst.yaml': NIGHTLY });
  await look('2026-11-20T12:00:00Z');
  const later = Promise.withResolvers<void>();
  const waits = Promise.withResolvers<void>();
  adding = () => {
    adding = async () => undefined;
    waits.resolve();
    return later.promise;
  };
  const slow = look('2026-11-21T02:30:10Z');
  await waits.promise;
  await look('2026-11-21T12:00:00Z');
  later.resolve();
  await slow;
  expect(Object.values(await kept())).toEqual([String(Date.parse('2026-11-21T12:00:00Z'))]);
  expect(new Set(added.map(({ id }) => id)).size).toBe(1);
});

test('of schedules that are gone nothing is kept, and one that comes back begins then', async () => {
  git.commit({
    'noteburst.yaml': 'schedules: [{ name: a, cron: "0 1 * * *" }, { name: b, cron: "0 2 * * *" }]\n',
  });
  await look('2026-11-20T00:00:00Z');
  expect(Object.keys(await kept())).toHaveLength(2);
  git.commit({ 'noteburst.yaml': 'schedules: [{ name: b, cron: "0 2 * * *" }]\n' });
  await look('2026-11-20T00:05:00Z');
  expect(Object.keys(await kept())).toEqual([JSON.stringify(['b', '0 2 * * *', 'UTC'])]);
  git.commitOnly({ 'a.txt': '' });
  await look('2026-11-20T03:00:00Z');
  expect(await file.redis.exists(schedulesKey(git.name))).toBe(0);
  git.commit({ 'noteburst.yaml': NIGHTLY });
  await look('2026-11-21T03:00:00Z');
  expect(added).toEqual([]);
});

test('hours are those of the time zone', async () => {
  git.commit({ 'noteburst.yaml': 'schedules: [{ cron: "0 3 * * *", timezone: America/Santiago }]\n' });
  await look('2026-11-20T05:00:00Z');
  await look('2026-11-20T05:59:59Z');
  expect(added).toEqual([]);
  await look('2026-11-20T06:00:00Z');
  expect(added).toHaveLength(1);
});

test('a repository without a suite file has none, of which nothing is to be said', async () => {
  git.commitOnly({ 'a.txt': '' });
  await look('2026-11-20T00:00:00Z');
  expect(lines.filter((line) => line.includes(git.name))).toEqual([]);
});

test.each<[string, Content, string]>([
  ['a file that is wrong', 'schedules: [{ cron: "61 * * * *" }]\n', 'noteburst.yaml:1'],
  ['a file that is too large', `# ${'x'.repeat(256 * 1024)}\n${NIGHTLY}`, '262144 are taken'],
  ['a link', { link: 'elsewhere.yaml' }, 'is no file, but a symlink'],
  ['a submodule', { submodule: 'c'.repeat(40) }, 'is no file, but a submodule'],
  ['a folder', 'a', 'is no file, but a directory'],
])('%s in the place of the suite file is told in the log', async (kind, content, message) => {
  git.commitOnly({ 'noteburst.yaml': NIGHTLY });
  await look('2026-11-20T00:00:00Z');
  git.commitOnly({ [kind === 'a folder' ? 'noteburst.yaml/a' : 'noteburst.yaml']: content });
  await look('2026-11-21T00:00:00Z');
  expect(added).toEqual([]);
  expect(lines.filter((line) => line.includes(git.name)).join('')).toContain(message);
  // What is missed meanwhile is caught up.
  git.commitOnly({ 'noteburst.yaml': NIGHTLY });
  await look('2026-11-22T00:00:00Z');
  expect(added).toHaveLength(1);
});
