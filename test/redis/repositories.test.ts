/** Repositories that are really fetched, by git over https. In this tier for its certificates. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { GivenUpError, RetryLaterError } from '../../workers/courier/errors.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { Repositories, type RepositoriesOptions } from '../../workers/courier/repositories/repositories.ts';
import { GitRepository } from '../support/git-repository.ts';
import { PrivateCa } from '../support/tls-proxy.ts';

let ca: PrivateCa;
let server: Server;
let port: number;
let git: GitRepository;
let cache: string;
let connections: number;
/** What was asked for, and with which right. */
let asked: { url: string; authorization: string | undefined }[];
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  ca = await PrivateCa.make();
  server = createServer(ca.server, (request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization });
    serve(request, response);
  });
  server.on('connection', () => (connections += 1)).on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
}, 30_000);
afterAll(() => {
  server.close();
  server.closeAllConnections();
  ca[Symbol.dispose]();
});
beforeEach(() => {
  asked = [];
  connections = 0;
  git = new GitRepository('team/tutorials');
  cache = mkdtempSync(join(tmpdir(), 'noteburst-cache-'));
  serve = (request, response) => git.serve(request, response);
});
afterEach(() => {
  git[Symbol.dispose]();
  rmSync(cache, { recursive: true, force: true });
});

function repositories(options: Partial<RepositoriesOptions> & { isInternal?: boolean } = {}): Repositories {
  const { isInternal = true, ...more } = options;
  return new Repositories({
    outgoing: new Outgoing([{ name: 'localhost', port, isInternal }]),
    dir: cache,
    maxBytes: 4 * 2 ** 20,
    timeoutMs: 20_000,
    limits: { files: 100, bytes: 2 ** 20 },
    caPath: ca.path,
    ...more,
  });
}

const ref = (commit: string, more: object = {}) => ({
  repository: git.name,
  url: new URL(`https://localhost:${port}/${git.name}.git`),
  commit,
  ...more,
});
const isNotebook = (path: string) => path.endsWith('.ipynb');
const signal = new AbortController().signal;
const filesIn = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(dir.length + 1))
    .toSorted();
const leftBehind = () => readdirSync(join(cache, 'checkouts'));
const clones = () => readdirSync(join(cache, 'clones'));

test('the files of exactly that commit, and nothing of them afterwards', async () => {
  const first = git.commit({ 'a.ipynb': 'one', 'deep/über b.ipynb': 'two', 'data.csv': 'x' });
  git.commit({ 'a.ipynb': 'later' });
  let dir: string;
  {
    await using checkout = await repositories().checkOut(ref(first), isNotebook, signal);
    ({ dir } = checkout);
    expect(filesIn(dir)).toEqual(['a.ipynb', 'deep/über b.ipynb']);
    expect(readFileSync(join(dir, 'a.ipynb'), 'utf8')).toBe('one');
    expect(checkout.submodules).toEqual([]);
  }
  expect(existsSync(dir)).toBe(false);
  expect(leftBehind()).toEqual([]);
});

test('what a courier that was killed has left is removed by the next', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  mkdirSync(join(cache, 'checkouts/checkout-old/a'), { recursive: true });
  await using checkout = await repositories().checkOut(ref(commit), isNotebook, signal);
  expect(leftBehind()).toEqual([basename(checkout.dir)]);
});

test('a commit that is in the cache is not fetched again, others are added to it', async () => {
  const first = git.commit({ 'a.ipynb': 'one' });
  const second = git.commit({ 'a.ipynb': 'two' });
  const own = repositories();
  await (await own.checkOut(ref(first), isNotebook, signal))[Symbol.asyncDispose]();
  const before = asked.length;
  await (await repositories().checkOut(ref(first), isNotebook, signal))[Symbol.asyncDispose]();
  expect(asked.length).toBe(before);
  await using checkout = await own.checkOut(ref(second), isNotebook, signal);
  expect(readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8')).toBe('two');
  expect(clones()).toEqual(['team+tutorials.git']);
});

test('a fetch of few objects is a pack, which is there as a whole or not at all', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  await using _ = await repositories().checkOut(ref(commit), isNotebook, signal);
  const objects = filesIn(join(cache, 'clones/team+tutorials.git/objects'));
  expect(objects.filter((path) => path.endsWith('.pack'))).toHaveLength(1);
  expect(objects.filter((path) => !path.startsWith('pack/'))).toEqual([]);
});

test('the credentials go to the host, and are kept nowhere', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const authorization = `Basic ${Buffer.from('x-access-token:canary-of-a-token').toString('base64')}`;
  await using _ = await repositories().checkOut(ref(commit, { authorization }), isNotebook, signal);
  expect(new Set(asked.map((each) => each.authorization))).toEqual(new Set([authorization]));
  expect(readFileSync(join(cache, 'clones/team+tutorials.git/config'), 'utf8')).not.toMatch(
    /canary|Basic|url/,
  );
});

test('links are left out, and submodules are named', async () => {
  const other = 'a'.repeat(40);
  const commit = git.commit({
    'a.ipynb': 'one',
    'link.ipynb': { link: '/etc/passwd' },
    'up.ipynb': { link: '../../outside.ipynb' },
    '.gitmodules': `[submodule "vendor"]\n\tpath = vendor\n\turl = https://localhost:${port}/other.git\n`,
    vendor: { submodule: other },
  });
  await using checkout = await repositories().checkOut(ref(commit), isNotebook, signal);
  expect(filesIn(checkout.dir)).toEqual(['a.ipynb']);
  expect(checkout.submodules).toEqual(['vendor']);
  expect(asked.every(({ url }) => url.startsWith('/team/tutorials.git/'))).toBe(true);
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
  await using checkout = await repositories().checkOut(ref(commit), isNotebook, signal);
  expect(filesIn(checkout.dir)).toEqual(['a.ipynb']);
  expect(existsSync(join(checkout.dir, '../escaped.ipynb'))).toBe(false);
});

test.each([
  ['files', { files: 1, bytes: 1_000 }, /2 files.*1 are taken/],
  ['bytes', { files: 9, bytes: 5 }, /6 bytes; 5 are taken/],
])('too many %s are refused, and nothing is left', async (_, limits, message) => {
  const commit = git.commit({ 'a.ipynb': 'one', 'b.ipynb': 'two' });
  const refused = repositories({ limits }).checkOut(ref(commit), isNotebook, signal);
  await expect(refused).rejects.toThrow(GivenUpError);
  await expect(refused).rejects.toThrow(message);
  expect(leftBehind()).toEqual([]);
});

test('a repository that is too large is refused, and is not kept', async () => {
  const commit = git.commit({ 'a.ipynb': 'one', 'large.bin': randomBytes(2 * 2 ** 20) });
  const refused = repositories({ maxBytes: 2 ** 20 }).checkOut(ref(commit), isNotebook, signal);
  await expect(refused).rejects.toThrow('larger than the 1 MiB that are taken');
  expect(clones()).toEqual([]);
});

test('what came together over time makes room for what is asked for', async () => {
  const own = repositories({ maxBytes: 500_000 });
  for (const text of ['one', 'two', 'three']) {
    const commit = git.commit({ 'a.ipynb': text, 'data.bin': randomBytes(300_000) });
    await using checkout = await own.checkOut(ref(commit), isNotebook, signal);
    expect(readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8')).toBe(text);
  }
  const bytes = filesIn(cache).reduce((sum, file) => sum + statSync(join(cache, file)).size, 0);
  expect(bytes).toBeLessThan(500_000);
});

test.each([
  ['an unknown commit', () => 'b'.repeat(40), GivenUpError, 'The commit is not there'],
  ['what is no commit', () => '--upload-pack=touch /tmp/x', GivenUpError, 'This is no id of a commit'],
])('%s is refused', async (_, commit, kind, message) => {
  git.commit({ 'a.ipynb': 'one' });
  const refused = repositories().checkOut(ref(commit()), isNotebook, signal);
  await expect(refused).rejects.toThrow(kind);
  await expect(refused).rejects.toThrow(message);
});

test.each([
  [401, GivenUpError],
  [404, GivenUpError],
  [503, RetryLaterError],
])('a host that answers %i', async (status, kind) => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  serve = (_, response) => void response.writeHead(status).end();
  await expect(repositories().checkOut(ref(commit), isNotebook, signal)).rejects.toThrow(kind);
});

test('redirects are not followed', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const before = serve;
  serve = (request, response) => {
    if (request.url?.startsWith('/moved/')) before(request, response);
    else response.writeHead(302, { Location: `https://localhost:${port}/moved${request.url}` }).end();
  };
  await expect(repositories().checkOut(ref(commit), isNotebook, signal)).rejects.toThrow(RetryLaterError);
  expect(asked.some(({ url }) => url.startsWith('/moved/'))).toBe(false);
});

test('a host inside the platform is not called unless the operator says so', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const own = repositories({ isInternal: false });
  await expect(own.checkOut(ref(commit), isNotebook, signal)).rejects.toThrow('no public address');
  expect(asked).toEqual([]);
});

test('git connects to the address that was looked at, whatever the name leads to by then', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const outgoing = { addressesOf: async () => ({ port, addresses: ['127.0.0.1'] }) };
  const url = new URL(`https://name-of-nobody.invalid:${port}/${git.name}.git`);
  // It comes so far that the certificate, which is for localhost, is not the host's.
  await expect(
    repositories({ outgoing }).checkOut({ ...ref(commit), url }, isNotebook, signal),
  ).rejects.toThrow('could not be fetched');
  expect(connections).toBeGreaterThan(0);
});

test('a host that does not go on is given up', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  serve = () => undefined;
  await expect(repositories({ timeoutMs: 300 }).checkOut(ref(commit), isNotebook, signal)).rejects.toThrow(
    'was not fetched within 0.3 s',
  );
  expect(clones()).toEqual([]);
  expect(leftBehind()).toEqual([]);
});

test('who has to go ends it', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  const stop = new AbortController();
  serve = () => stop.abort(new Error('has to go'));
  await expect(repositories().checkOut(ref(commit), isNotebook, stop.signal)).rejects.toThrow('has to go');
});

test('several of one repository at once', async () => {
  const commits = Array.from({ length: 4 }, (_, n) => git.commit({ 'a.ipynb': String(n) }));
  const own = repositories();
  const read = commits.map(async (commit) => {
    await using checkout = await own.checkOut(ref(commit), isNotebook, signal);
    return readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8');
  });
  expect(await Promise.all(read)).toEqual(['0', '1', '2', '3']);
});
