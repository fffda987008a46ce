/** "Owner only" of the security design. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { putJob } from '../../support/ended-job.ts';
import { identity, MemoryParts, QUEUE_NAME, serve, type TestServer } from '../../support/function-server.ts';
import { ipynb } from '../../support/notebooks.ts';
import { SubmitClient } from '../../support/submit-client.ts';

const id = newJobId(QUEUE_NAME);
let parts: MemoryParts;
let server: TestServer;

beforeEach(async () => {
  parts = new MemoryParts();
  server = await serve(parts.status());
});
afterEach(() => server[Symbol.asyncDispose]());

async function asBob(method: string, jobId: string, rest: string, headers: Record<string, string> = {}) {
  const url = `${server.url}/noteburst/v1/notebooks/${jobId}${rest}`;
  const response = await fetch(url, { method, headers: { ...identity('bob'), ...headers } });
  const { date: _, ...fields } = Object.fromEntries(response.headers);
  return { status: response.status, fields, text: await response.text() };
}

describe.each([
  ['job', 'GET', ''],
  ['result and source', 'GET', '?source=true'],
  ['job by HEAD', 'HEAD', ''],
  ['events', 'GET', '/events'],
  ['notebook', 'GET', '/ipynb'],
  ['cancel', 'DELETE', ''],
])("another user's %s → 404", (_, method, rest) => {
  test.each(['waiting', 'active', 'ended'] as const)(
    'to the byte as for one that is not: %s',
    async (state) => {
      putJob(parts, id, state === 'ended' ? {} : { state, startedAtMs: Date.now() });
      const before = structuredClone(parts.jobs.get(id));
      for (const headers of [
        {},
        { Prefer: 'wait=5' },
        { 'If-None-Match': '*' },
        { 'Last-Event-ID': '1-0' },
      ]) {
        const others = await asBob(method, id, rest, headers);
        expect(others).toEqual(await asBob(method, newJobId(QUEUE_NAME), rest, headers));
        expect(others.status).toBe(404);
      }
      expect(parts.jobs.get(id)).toEqual(before);
    },
  );
});

test('as a problem too, the 404 tells no more than the path that was asked for', async () => {
  putJob(parts, id);
  const unknown = newJobId(QUEUE_NAME);
  const headers = { Accept: 'application/problem+json' };
  const [others, none] = [await asBob('GET', id, '', headers), await asBob('GET', unknown, '', headers)];
  expect(others.text.replace(id, unknown)).toBe(none.text);
});

test('the owner is never taken from the body', async () => {
  await using client = await SubmitClient.start();
  const names = { owner: 'bob', username: 'bob', data: { owner: 'bob' }, user: 'bob' };
  await client.submit({ ipynb: ipynb(), ...names });
  await client.send('POST', '/noteburst/v1/notebooks/?owner=bob', identity('alice'), '{}');
  expect([...client.parts.jobs.values()].map(({ data }) => data.owner)).toEqual(['alice']);
});

describe('what changes something', () => {
  const cancel = (site?: string) =>
    fetch(`${server.url}/noteburst/v1/notebooks/${id}`, {
      method: 'DELETE',
      headers: { ...identity('alice'), ...(site === undefined ? {} : { 'Sec-Fetch-Site': site }) },
    });

  // Labs show their users' pages below the platform's own domain.
  test.each(['cross-site', 'same-site'])('is refused to a page that is %s', async (site) => {
    putJob(parts, id, { state: 'waiting' });
    const response = await cancel(site);
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({
      detail: [{ type: 'cross_site', msg: 'Pages of other sites may change nothing' }],
    });
    expect(parts.jobs.get(id)).toMatchObject({ state: 'waiting' });
  });

  test.each(['same-origin', 'none', undefined])(
    'is open to the site itself and to programs: %s',
    async (site) => {
      putJob(parts, id, { state: 'waiting' });
      expect((await cancel(site)).status).toBe(200);
    },
  );

  test('no other site is told that it may read: there are no CORS headers', async () => {
    putJob(parts, id);
    const headers = {
      ...identity('alice'),
      Origin: 'https://evil.example.org',
      'Sec-Fetch-Site': 'cross-site',
    };
    const response = await fetch(`${server.url}/noteburst/v1/notebooks/${id}`, { headers });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});
