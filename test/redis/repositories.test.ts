/** Repositories that are really fetched, by git over https. In this tier for its certificates. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { GivenUpError, RetryLaterError } from '../../workers/courier/errors.ts';
import { filesIn, GitHost, isNotebook } from '../support/git-host.ts';
import type { GitRepository } from '../support/git-repository.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

const signal = new AbortController().signal;
let ca: PrivateCa;
let host: GitHost;
let git: GitRepository;

beforeAll(async () => {
  ca = await PrivateCa.make();
}, 30_000);
afterAll(() => ca[Symbol.dispose]());
beforeEach(async () => {
  host = await GitHost.start(ca);
  git = host.repository('team/tutorials');
});
afterEach(() => host[Symbol.asyncDispose]());

test('the files of exactly that commit, and nothing of them afterwards', async () => {
  const first = git.commit({ 'a.ipynb': 'one', 'deep/über b.ipynb': 'two', 'data.csv': 'x' });
  git.commit({ 'a.ipynb': 'later' });
  let dir: string;
  {
    await using checkout = await host.repositories().checkOut(host.ref(git, first), isNotebook, signal);
    ({ dir } = checkout);
    expect(filesIn(dir)).toEqual(['a.ipynb', 'deep/über b.ipynb']);
    expect(readFileSync(join(dir, 'a.ipynb'), 'utf8')).toBe('one');
    expect(checkout.submodules).toEqual([]);
  }
  expect(existsSync(dir)).toBe(false);
  expect(host.left('checkouts')).toEqual([]);
});

test('what a courier that was killed has left is removed by the next, and nothing else', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  for (const left of ['checkouts/checkout-old/a', 'clones/fetching/objects', 'clones/of-somebody'])
    mkdirSync(join(host.cache, left), { recursive: true });
  await using checkout = await host.repositories().checkOut(host.ref(git, commit), isNotebook, signal);
  expect(host.left('checkouts')).toEqual([basename(checkout.dir)]);
  expect(host.left('clones').toSorted()).toEqual(['of-somebody', 'team+tutorials.git']);
});

test('the credentials go to the host, and are kept nowhere', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const authorization = `Basic ${Buffer.from('x-access-token:canary-of-a-token').toString('base64')}`;
  await using _ = await host
    .repositories()
    .checkOut(host.ref(git, commit, { authorization }), isNotebook, signal);
  expect(new Set(host.asked.map((each) => each.authorization))).toEqual(new Set([authorization]));
  expect(readFileSync(join(host.cache, 'clones/team+tutorials.git/config'), 'utf8')).not.toMatch(
    /canary|Basic|url/,
  );
});

test('links are left out, and submodules are named', async () => {
  const other = 'a'.repeat(40);
  const commit = git.commit({
    'a.ipynb': 'one',
    'link.ipynb': { link: '/etc/passwd' },
    'up.ipynb': { link: '../../outside.ipynb' },
    '.gitmodules': `[submodule "vendor"]\n\tpath = vendor\n\turl = https://localhost:${host.port}/other.git\n`,
    vendor: { submodule: other },
  });
  await using checkout = await host.repositories().checkOut(host.ref(git, commit), isNotebook, signal);
  expect(filesIn(checkout.dir)).toEqual(['a.ipynb']);
  expect(checkout.submodules).toEqual(['vendor']);
  expect(checkout.links).toEqual(['link.ipynb', 'up.ipynb']);
  expect(host.asked.every(({ url }) => url.startsWith('/team/tutorials.git/'))).toBe(true);
});

test('names that lead out of the folder are left out', async () => {
  const blob = git.commit({ 'x.ipynb': 'evil' }) && git.git('rev-parse', 'HEAD:x.ipynb');
  // git itself would make no such tree: it is written as an object.
  const entry = (mode: string, name: string, id: string) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]);
  const object = (content: Buffer) => git.object('tree', content);
  const inner = object(entry('100644', 'escaped.ipynb', blob));
  const tree = object(Buffer.concat([entry('40000', '..', inner), entry('100644', 'a.ipynb', blob)]));
  const commit = git.git('commit-tree', tree, '-m', 'evil');
  git.git('update-ref', 'refs/heads/evil', commit);
  await using checkout = await host.repositories().checkOut(host.ref(git, commit), isNotebook, signal);
  expect(filesIn(checkout.dir)).toEqual(['a.ipynb']);
  expect(existsSync(join(checkout.dir, '../escaped.ipynb'))).toBe(false);
});

test('more files than are looked through are refused for good', async () => {
  const blob = git.commit({ 'x.ipynb': 'x' }) && git.git('rev-parse', 'HEAD:x.ipynb');
  const id = Buffer.from(blob, 'hex');
  const entry = (n: number) => [Buffer.from(`100644 ${String(n).padStart(380, '0')}\0`), id];
  const tree = git.object('tree', Buffer.concat(Array.from({ length: 40_000 }, (_, n) => entry(n)).flat()));
  const commit = git.git('commit-tree', tree, '-m', 'many');
  git.git('update-ref', 'refs/heads/many', commit);
  const refused = host.repositories().checkOut(host.ref(git, commit), isNotebook, signal);
  await expect(refused).rejects.toThrow('more files than are looked through');
});

test.each([
  ['files', { files: 1, bytes: 1_000 }, /2 files.*1 are taken/],
  ['bytes', { files: 9, bytes: 5 }, /6 bytes; 5 are taken/],
])('too many %s are refused, and nothing is left', async (_, limits, message) => {
  const commit = git.commit({ 'a.ipynb': 'one', 'b.ipynb': 'two' });
  const refused = host.repositories({ limits }).checkOut(host.ref(git, commit), isNotebook, signal);
  await expect(refused).rejects.toThrow(GivenUpError);
  await expect(refused).rejects.toThrow(message);
  expect(host.left('checkouts')).toEqual([]);
});

test.each([
  ['an unknown commit', () => 'b'.repeat(40), GivenUpError, 'The commit is not there'],
  ['what is no commit', () => '--upload-pack=touch /tmp/x', GivenUpError, 'This is no id of a commit'],
])('%s is refused', async (_, commit, kind, message) => {
  git.commit({ 'a.ipynb': 'one' });
  const refused = host.repositories().checkOut(host.ref(git, commit()), isNotebook, signal);
  await expect(refused).rejects.toThrow(kind);
  await expect(refused).rejects.toThrow(message);
});

test.each([
  [401, GivenUpError],
  [404, GivenUpError],
  [503, RetryLaterError],
])('a host that answers %i', async (status, kind) => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  host.serve = (_, response) => void response.writeHead(status).end();
  await expect(host.repositories().checkOut(host.ref(git, commit), isNotebook, signal)).rejects.toThrow(kind);
});

test('redirects are not followed', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  host.serve = (request, response) => {
    if (request.url?.startsWith('/moved/')) host.answer(request, response);
    else response.writeHead(302, { Location: `https://localhost:${host.port}/moved${request.url}` }).end();
  };
  await expect(host.repositories().checkOut(host.ref(git, commit), isNotebook, signal)).rejects.toThrow(
    RetryLaterError,
  );
  expect(host.asked.some(({ url }) => url.startsWith('/moved/'))).toBe(false);
});

test('a host inside the platform is not called unless the operator says so', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const own = host.repositories({ isInternal: false });
  await expect(own.checkOut(host.ref(git, commit), isNotebook, signal)).rejects.toThrow('no public address');
  expect(host.asked).toEqual([]);
});

test('git connects to the address that was looked at, whatever the name leads to by then', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const outgoing = { addressesOf: async () => ({ port: host.port, addresses: ['127.0.0.1'] }) };
  const url = new URL(`https://name-of-nobody.invalid:${host.port}/${git.name}.git`);
  // It comes so far that the certificate, which is for localhost, is not the host's.
  await expect(
    host.repositories({ outgoing }).checkOut({ ...host.ref(git, commit), url }, isNotebook, signal),
  ).rejects.toThrow('could not be fetched');
  expect(host.connections).toBeGreaterThan(0);
});

test('a host that does not go on is given up', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  host.serve = () => undefined;
  await expect(
    host.repositories({ timeoutMs: 300 }).checkOut(host.ref(git, commit), isNotebook, signal),
  ).rejects.toThrow('was not fetched within 0.3 s');
  expect(host.left('clones')).toEqual([]);
  expect(host.left('checkouts')).toEqual([]);
});

test('who has to go ends it', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const stop = new AbortController();
  host.serve = () => stop.abort(new Error('has to go'));
  await expect(host.repositories().checkOut(host.ref(git, commit), isNotebook, stop.signal)).rejects.toThrow(
    'has to go',
  );
});
