import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { githubHandler } from '../../functions/github/github.ts';
import type { SuiteRun } from '../../lib/contract/suite-run.ts';
import { CallerCheck } from '../../lib/http/caller.ts';
import { requestRedis, untilReady } from '../../lib/queue/redis.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import {
  identity,
  PATH_PREFIX,
  SCOPE,
  serve,
  tokenCheck,
  type TestServer,
} from '../support/function-server.ts';
import { redisOfFile } from '../support/redis.ts';

const REPOSITORY = 'team/tutorials';
const COMMIT = 'c'.repeat(40);

const file = await redisOfFile();
const redis = requestRedis(file.url).on('error', () => undefined);
const runs = new SuiteRuns(redis);
let server: TestServer;

beforeAll(async () => {
  await untilReady(redis, 5_000);
  const nothing = { taken: async () => [], remember: async () => undefined, add: async () => undefined };
  server = await serve(
    githubHandler({
      pathPrefix: PATH_PREFIX,
      queue: nothing,
      runs,
      repositories: [REPOSITORY, 'other/*'],
      webhookSecrets: [],
      scheduleSecrets: [],
      callers: new CallerCheck(tokenCheck, SCOPE),
      reportsUrl: 'https://data.example.org/noteburst/github',
    }),
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  redis.disconnect();
});
beforeEach(async () => void (await file.redis.flushdb()));

const github = (path: string, init: RequestInit = {}) =>
  fetch(`${server.url}${PATH_PREFIX}/github${path}`, init);

describe('what came of it', () => {
  const run: SuiteRun = {
    id: 'a'.repeat(32),
    repository: REPOSITORY,
    branch: 'main',
    commit: COMMIT,
    event: 'merge',
    pull_request: 7,
    state: 'ended',
    conclusion: 'failure',
    title: '1 failed <script>',
    started: '2026-11-21T10:00:00.000Z',
    finished: '2026-11-21T10:01:05.000Z',
  };
  const get = (path: string, headers: Record<string, string> = {}) =>
    github(path, { headers: { ...identity('alice'), ...headers } });
  const page = { Accept: 'text/html' };

  test('is listed, newest first', async () => {
    await runs.write({ ...run, id: 'b'.repeat(32), started: '2026-11-20T10:00:00.000Z' });
    await runs.write(run);
    const listed = (await (await get('/team/tutorials')).json()) as { runs: { id: string; url: string }[] };
    expect(listed.runs.map(({ id }) => id[0])).toEqual(['a', 'b']);
    expect(listed.runs[0]).toEqual({
      ...run,
      url: `https://data.example.org/noteburst/github/team/tutorials/${run.id}`,
    });
    const html = await (await get('/Team/Tutorials', page)).text();
    expect(html).toContain('merge of #7');
    expect(html).toContain('1 failed &lt;script&gt;');
  });

  test('is a page and JSON', async () => {
    await runs.write(run, { report: '{"results":[]}', page: '<!doctype html>a report' });
    const path = `/team/tutorials/${run.id}`;
    expect(await (await get(path)).json()).toEqual({ ...run, report: { results: [] } });
    const response = await get(path, page);
    expect(response.headers.get('Content-Security-Policy')).toContain('sandbox');
    expect(await response.text()).toBe('<!doctype html>a report');
  });

  test('that is too large is only listed', async () => {
    await runs.write(run, { page: 'x'.repeat(9 * 1024 * 1024) });
    expect(await (await get(`/team/tutorials/${run.id}`, page)).text()).toContain('1 failed');
  });

  test('has executed notebooks, as files for those who may see the report', async () => {
    const ipynb = '{"cells":[]}';
    await runs.write(run, {
      report: '{}',
      notebooks: new Map([['12-fails.ipynb', zstdCompressSync(ipynb)]]),
    });
    const path = `/team/tutorials/${run.id}/notebooks/12-fails.ipynb`;
    const response = await get(path, page);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/x-ipynb+json',
      'content-disposition': 'attachment; filename="fails.ipynb"',
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect(await response.text()).toBe(ipynb);
    expect((await github(path)).status).toBe(401);
    const others = ['13-fails.ipynb', 'report', '12-fails.ipynb%22', '..'];
    for (const other of others) expect((await get(path.replace('12-fails.ipynb', other))).status).toBe(404);
    expect((await get(path.replace('team/tutorials', 'other/notes'))).status).toBe(404);
  });

  test('that many take slowly is not held for more of them than there is memory for', async () => {
    const large = zstdCompressSync(Buffer.alloc(30 * 2 ** 20, 32));
    await runs.write(run, { report: '{}', notebooks: new Map([['0-a.ipynb', large]]) });
    const url = `${server.url}${PATH_PREFIX}/github/team/tutorials/${run.id}/notebooks/0-a.ipynb`;
    const slow = async () => {
      const [response] = (await once(httpGet(url, { headers: identity('alice') }), 'response')) as [
        IncomingMessage,
      ];
      expect(response.statusCode).toBe(200);
      return response;
    };
    const both = [await slow(), await slow()];
    const refused = await fetch(url, { headers: identity('bob') });
    expect([refused.status, refused.headers.has('Retry-After')]).toEqual([503, true]);
    expect(await refused.json()).toMatchObject({ detail: [{ msg: expect.stringContaining('downloaded') }] });
    // Who tells something is not kept from it by those.
    const told = await github('/webhook', { method: 'POST', body: 'x'.repeat(2 ** 20) });
    expect(told.status).toBe(415);
    both[0]?.destroy();
    let bytes = 0;
    for await (const chunk of both[1] as IncomingMessage) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(30 * 2 ** 20);
    // As many as one likes, one after the other.
    const next = async () => {
      const response = await fetch(url, { headers: identity('bob') });
      await response.arrayBuffer();
      return response.status === 200;
    };
    for (let n = 0; n < 4; n++) await vi.waitUntil(next, { timeout: 5_000, interval: 10 });
  });

  test('is not there yet while it runs: the page says so, and loads itself again', async () => {
    const { conclusion: _, title: __, finished: ___, ...begun } = run;
    const running = { ...begun, state: 'running', started: new Date().toISOString() } as const;
    await runs.write(running);
    for (const path of ['/team/tutorials', `/team/tutorials/${run.id}`]) {
      const html = await (await get(path, page)).text();
      expect(html).toContain('every 15 seconds');
      expect(html).toContain('location.reload()');
    }
    await runs.write({ ...running, started: '2026-01-01T00:00:00.000Z' });
    const html = await (await get('/team/tutorials', page)).text();
    expect(html).toContain('Has not ended');
    expect(html).not.toContain('location.reload()');
  });

  test('that is not there is told in HTML to who asks for that, and as JSON else', async () => {
    const path = '/team/tutorials/unknown';
    const shown = await get(path, page);
    expect([shown.status, shown.headers.get('Content-Type')]).toEqual([404, 'text/html; charset=utf-8']);
    expect(await shown.text()).toMatch(/Run not found[^]*30 days/);
    const told = await get(path);
    expect([told.status, await told.json()]).toMatchObject([404, { detail: [{ type: 'unknown_run' }] }]);
    const refused = await github('/team/tutorials', { headers: page });
    expect([refused.status, refused.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
    expect(await refused.text()).toContain('Log in');
  });

  test.each([
    ['/stranger/tutorials', 404],
    [`/other/notes/${run.id}`, 404],
    ['/team/tutorials/unknown', 404],
  ])('is not there: %s', async (path, status) => {
    await runs.write(run, { report: '{}' });
    expect((await get(path)).status).toBe(status);
  });

  test('is for those who may run notebooks', async () => {
    await runs.write(run);
    expect((await github('/team/tutorials')).status).toBe(401);
    expect((await github(`/team/tutorials/${run.id}`)).status).toBe(401);
  });

  test('of the last run of a branch is kept for the next', async () => {
    await runs.write(run, { report: '{"n":1}' });
    await runs.write({ ...run, id: 'c'.repeat(32), state: 'running' });
    expect(await runs.lastReport(REPOSITORY, 'main')).toBe('{"n":1}');
    expect(await runs.lastReport(REPOSITORY, 'other')).toBeUndefined();
  });
});
