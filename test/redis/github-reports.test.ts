import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
