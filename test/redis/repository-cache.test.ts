/** The cache of clones, which are really fetched, by git over https. In this tier for its certificates. */
import { randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
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

/** Of what lies in the folder of clones; git and the courier rename and remove meanwhile. */
function bytesOfClones(): number {
  const dir = join(host.cache, 'clones');
  try {
    return filesIn(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
  } catch {
    return 0;
  }
}
/** The pack of the one clone. */
function pack(): string {
  const dir = join(host.cache, 'clones/team+tutorials.git/objects/pack');
  return join(dir, readdirSync(dir).find((name) => name.endsWith('.pack')) ?? '');
}

test('a commit that is in the cache is not fetched again, others are added to it', async () => {
  const first = git.commit({ 'a.ipynb': 'one' });
  const second = git.commit({ 'a.ipynb': 'two' });
  const own = host.repositories();
  await (await own.checkOut(host.ref(git, first), isNotebook, signal))[Symbol.asyncDispose]();
  const before = host.asked.length;
  await (await host.repositories().checkOut(host.ref(git, first), isNotebook, signal))[Symbol.asyncDispose]();
  expect(host.asked.length).toBe(before);
  await using checkout = await own.checkOut(host.ref(git, second), isNotebook, signal);
  expect(readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8')).toBe('two');
  expect(host.left('clones')).toEqual(['team+tutorials.git']);
});

test('a fetch of few objects is a pack, which is there as a whole or not at all', async () => {
  const commit = git.commit({ 'a.ipynb': 'one' });
  await using _ = await host.repositories().checkOut(host.ref(git, commit), isNotebook, signal);
  const objects = filesIn(join(host.cache, 'clones/team+tutorials.git/objects'));
  expect(objects.filter((path) => path.endsWith('.pack'))).toHaveLength(1);
  expect(objects.filter((path) => !path.startsWith('pack/'))).toEqual([]);
});

test('a repository that is too large is refused, and is not kept', async () => {
  const commit = git.commit({ 'a.ipynb': 'one', 'large.bin': randomBytes(2 * 2 ** 20) });
  const refused = host
    .repositories({ maxBytes: 2 ** 20 })
    .checkOut(host.ref(git, commit), isNotebook, signal);
  await expect(refused).rejects.toThrow('larger than the 1 MiB that are taken');
  expect(host.left('clones')).toEqual([]);
});

test('what came together over time makes room for what is asked for', async () => {
  const own = host.repositories({ maxBytes: 500_000 });
  for (const text of ['one', 'two', 'three']) {
    const commit = git.commit({ 'a.ipynb': text, 'data.bin': randomBytes(300_000) });
    await using checkout = await own.checkOut(host.ref(git, commit), isNotebook, signal);
    expect(readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8')).toBe(text);
  }
  expect(bytesOfClones()).toBeLessThan(500_000);
});

test('several of one repository at once', async () => {
  const commits = Array.from({ length: 4 }, (_, n) => git.commit({ 'a.ipynb': String(n) }));
  const own = host.repositories();
  const read = commits.map(async (commit) => {
    await using checkout = await own.checkOut(host.ref(git, commit), isNotebook, signal);
    return readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8');
  });
  expect(await Promise.all(read)).toEqual(['0', '1', '2', '3']);
});

test('however many are asked for at once, the folder keeps to four of the largest size', async () => {
  const maxBytes = 2 ** 20;
  const repositories = host.repositories({ maxBytes });
  const largest = { 'a.ipynb': 'one', 'data.bin': randomBytes(0.9 * maxBytes) };
  const all = Array.from({ length: 6 }, (_, n) => host.repository(`team/r${n}`));
  const commits = all.map((repository) => repository.commit(largest));
  let read = 0;
  const reading = all.map(async (repository, n) => {
    const ref = host.ref(repository, commits[n] as string);
    await using _ = await repositories.checkOut(ref, isNotebook, signal);
    read += 1;
  });
  const done = Promise.all(reading);
  let most = 0;
  while (read < all.length) {
    most = Math.max(most, bytesOfClones());
    await Promise.race([turn(), done]);
  }
  await done;
  expect(most).toBeGreaterThan(maxBytes);
  expect(most).toBeLessThan(4 * maxBytes);
  expect(host.left('clones')).toHaveLength(3);
});

test.each([
  // The last of it is the file: behind it there is a hash.
  ['a file that cannot be read', (path: string) => overwrite(path, statSync(path).size - 40)],
  ['a pack that was cut off', cutOff],
])('a clone with %s is taken anew, once', async (_, damage) => {
  const commit = git.commit({ 'a.ipynb': randomBytes(2_000) });
  const ref = host.ref(git, commit);
  await (await host.repositories().checkOut(ref, isNotebook, signal))[Symbol.asyncDispose]();
  damage(pack());
  const before = host.asked.length;
  await using checkout = await host.repositories().checkOut(ref, isNotebook, signal);
  expect(readFileSync(join(checkout.dir, 'a.ipynb')).length).toBe(2_000);
  expect(host.asked.length).toBeGreaterThan(before);
});

test('a clone that nothing can be added to is taken anew, once', async () => {
  const first = host.ref(git, git.commit({ 'a.ipynb': 'one' }));
  await (await host.repositories().checkOut(first, isNotebook, signal))[Symbol.asyncDispose]();
  // As a git leaves it that was killed.
  writeFileSync(join(host.cache, 'clones/team+tutorials.git/shallow.lock'), '');
  const second = host.ref(git, git.commit({ 'a.ipynb': 'two' }));
  await using checkout = await host.repositories().checkOut(second, isNotebook, signal);
  expect(readFileSync(join(checkout.dir, 'a.ipynb'), 'utf8')).toBe('two');
});

test.each<[string, GitHost['serve']]>([
  ['refuses', (_, response) => void response.writeHead(503).end()],
  ['cuts connections', (request) => void request.socket.destroy()],
  ['does not answer', () => undefined],
  ['breaks off within a pack', brokenOff],
])('a clone outlasts a host that %s', async (_, serve) => {
  const first = host.ref(git, git.commit({ 'a.ipynb': 'one' }));
  await (await host.repositories().checkOut(first, isNotebook, signal))[Symbol.asyncDispose]();
  const second = host.ref(git, git.commit({ 'a.ipynb': randomBytes(300_000) }));
  host.serve = serve;
  const before = host.asked.length;
  const refused = host.repositories({ timeoutMs: 2_000 }).checkOut(second, isNotebook, signal);
  await expect(refused).rejects.toThrow(RetryLaterError);
  const gets = host.asked.slice(before).filter(({ url }) => url.includes('/info/refs'));
  expect(gets).toHaveLength(1);
  const left = filesIn(join(host.cache, 'clones/team+tutorials.git'));
  expect(left.filter((path) => /tmp_|lock$/.test(path))).toEqual([]);
  host.serve = (request, response) => host.answer(request, response);
  const asked = host.asked.length;
  await (await host.repositories().checkOut(first, isNotebook, signal))[Symbol.asyncDispose]();
  expect(host.asked.length).toBe(asked);
  await using checkout = await host.repositories().checkOut(second, isNotebook, signal);
  expect(readFileSync(join(checkout.dir, 'a.ipynb')).length).toBe(300_000);
});

test('a commit that the host has not costs no clone', async () => {
  const first = host.ref(git, git.commit({ 'a.ipynb': 'one' }));
  await (await host.repositories().checkOut(first, isNotebook, signal))[Symbol.asyncDispose]();
  const other = { ...first, commit: 'b'.repeat(40) };
  await expect(host.repositories().checkOut(other, isNotebook, signal)).rejects.toThrow(GivenUpError);
  expect(host.left('clones')).toEqual(['team+tutorials.git']);
});

/** What is asked of the host is answered up to some bytes of the pack. */
function brokenOff(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'POST') {
    let bytes = 0;
    const write = response.write.bind(response) as (chunk: Buffer) => boolean;
    response.write = ((chunk: Buffer) => {
      bytes += chunk.length;
      const isOver = bytes > 100_000;
      if (isOver) setImmediate(() => request.socket.destroy());
      return isOver || write(chunk);
    }) as typeof response.write;
  }
  host.answer(request, response);
}

function overwrite(path: string, at: number): void {
  const content = readFileSync(path);
  content.fill(0, at, at + 10);
  chmodSync(path, 0o644);
  writeFileSync(path, content);
}

function cutOff(path: string): void {
  chmodSync(path, 0o644);
  truncateSync(path, 40);
}
