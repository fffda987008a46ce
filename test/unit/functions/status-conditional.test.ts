import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';
import { putJob, RESULT } from '../../support/ended-job.ts';
import { identity, MemoryParts, QUEUE_NAME, serve, type TestServer } from '../../support/function-server.ts';

const id = newJobId(QUEUE_NAME);
let parts: MemoryParts;
let server: TestServer;
/** How often a notebook was read. */
let reads: number;

beforeEach(async () => {
  parts = new MemoryParts();
  reads = 0;
  const { getResult, getSource } = parts.store;
  Object.assign(parts.store, {
    getResult: (jobId: string, resultId: string) => (reads++, getResult(jobId, resultId)),
    getSource: (jobId: string) => (reads++, getSource(jobId)),
  });
  server = await serve(parts.status());
});
afterEach(() => server[Symbol.asyncDispose]());

async function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const url = `${server.url}/noteburst/v1/notebooks/${path}`;
  const response = await fetch(url, { method, headers: { ...identity('alice'), ...headers } });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    etag: response.headers.get('etag') ?? '',
  };
}

const known = (etag: string) => ({ 'If-None-Match': etag });

describe.each(['', '?source=true', '?result=false', '/ipynb'])('what is asked for again at %s', (rest) => {
  test('is 304 without a body as long as it has not changed, and no notebook is read for it', async () => {
    putJob(parts, id);
    const first = await get(id + rest);
    expect(first.status).toBe(200);
    expect(first.etag).toMatch(/^"[\w-]+"$/);
    reads = 0;
    for (const method of ['GET', 'HEAD']) {
      const again = await get(id + rest, known(first.etag), method);
      expect(again).toMatchObject({ status: 304, text: '', etag: first.etag });
      expect(again.headers.get('content-length')).toBeNull();
    }
    expect(reads).toBe(0);
    expect((await get(id + rest, known('"another"'))).status).toBe(200);
  });

  test('may be kept by its caller only, who is to ask before it is shown again', async () => {
    putJob(parts, id);
    const first = await get(id + rest);
    for (const { headers } of [first, await get(id + rest, known(first.etag))]) {
      expect(headers.get('cache-control')).toBe('private, no-cache');
      expect(headers.get('vary')).toBe('Accept');
    }
  });
});

describe('the tag of a job', () => {
  test('is another for each query and each kind of answer', async () => {
    putJob(parts, id);
    const paths = [id, `${id}?source=true`, `${id}?result=false`, `${id}/ipynb`];
    const tags = await Promise.all(paths.map(async (path) => (await get(path)).etag));
    expect(new Set(tags).size).toBe(4);
    expect((await get(`${id}?source=false`)).etag).toBe(tags[0]);
  });

  test('changes with all that the answer tells', async () => {
    const states: Partial<JobSnapshot>[] = [
      { state: 'waiting' },
      { state: 'active' },
      { state: 'active', progress: { cells_done: 0, cells_total: 2 } },
      { state: 'active', progress: { cells_done: 1, cells_total: 2 } },
      { state: 'active', progress: { cells_done: 1, cells_total: 2 }, attempts: 2 },
      { state: 'active', progress: { cells_done: 1, cells_total: 2 }, cancelling: true },
      { state: 'ended', finishedAtMs: 3, outcome: { result_id: 'r1' } },
      { state: 'ended', finishedAtMs: 3, outcome: { result_id: 'r2' } },
      { state: 'ended', finishedAtMs: 3, outcome: { result_id: 'r2', warnings: ['x'] } },
    ];
    parts.results.set(`${id}/r2`, RESULT);
    const tags = [];
    for (const state of states) {
      putJob(parts, id, state);
      tags.push((await get(id)).etag);
    }
    expect(new Set(tags).size).toBe(states.length);
  });

  test('is not that of an answer whose notebook has expired, which is not to be kept', async () => {
    putJob(parts, id);
    parts.results.clear();
    const { status, etag, headers } = await get(id);
    expect([status, etag, headers.get('cache-control')]).toEqual([200, '', 'no-store']);
  });

  test('tells a stranger nothing', async () => {
    putJob(parts, id);
    const headers = { ...identity('bob'), 'If-None-Match': '*' };
    expect((await get(id, headers)).status).toBe(404);
    expect((await get(`${id}/ipynb`, headers)).status).toBe(404);
  });
});

describe('a poll of a job that has not ended', () => {
  test('is 304 with Retry-After', async () => {
    putJob(parts, id, { state: 'waiting', startsInSeconds: 7 });
    const again = await get(id, known((await get(id)).etag));
    expect([again.status, again.headers.get('retry-after')]).toEqual([304, '7']);
  });

  test('with Prefer: wait is 304 only when the time is over and nothing has changed', async () => {
    putJob(parts, id, { state: 'waiting' });
    const { etag } = await get(id);
    const begun = performance.now();
    const unchanged = await get(id, { ...known(etag), Prefer: 'wait=1' });
    expect(performance.now() - begun).toBeGreaterThan(950);
    expect([unchanged.status, unchanged.headers.get('preference-applied')]).toEqual([304, 'wait=1']);

    const waiting = get(id, { ...known(etag), Prefer: 'wait=1' });
    putJob(parts, id);
    const ended = await waiting;
    expect(ended.status).toBe(200);
    expect(JSON.parse(ended.text)).toMatchObject({ status: 'complete', ipynb: RESULT });
  });
});
