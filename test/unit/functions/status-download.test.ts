import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { putJob, RESULT } from '../../support/ended-job.ts';
import { identity, MemoryParts, QUEUE_NAME, serve, type TestServer } from '../../support/function-server.ts';

const id = newJobId(QUEUE_NAME);
let parts: MemoryParts;
let server: TestServer;

beforeEach(async () => {
  parts = new MemoryParts();
  server = await serve(parts.status());
});
afterEach(() => server[Symbol.asyncDispose]());

async function send(path: string, user: 'alice' | 'bob' = 'alice', method = 'GET') {
  const url = `${server.url}/noteburst/v1/notebooks/${path}`;
  const response = await fetch(url, { method, headers: identity(user) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('the download of a notebook', () => {
  test('is the executed notebook to the letter, as a file that no browser runs', async () => {
    putJob(parts, id);
    const { status, headers, text } = await send(`${id}/ipynb`);
    expect(text).toBe(RESULT);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/x-ipynb+json',
      'content-disposition': `attachment; filename="${id}.ipynb"`,
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
    });
    expect(status).toBe(200);
  });

  test('is the partial one where the run failed', async () => {
    const error = { code: 'timeout', reason: 'run_timeout' } as const;
    putJob(parts, id, { state: 'ended', outcome: { result_id: 'r1', error } });
    expect(await send(`${id}/ipynb`)).toMatchObject({ status: 200, text: RESULT });
  });

  test.each([
    ['while the job runs', { state: 'active' }, '1', 'The job has not ended: there is no notebook yet'],
    [
      'while it waits',
      { state: 'waiting', startsInSeconds: 9 },
      '9',
      'The job has not ended: there is no notebook yet',
    ],
    ['when it left none', { state: 'ended', outcome: {} }, null, 'The job has no notebook'],
    [
      'when it has expired',
      { state: 'ended', outcome: { result_id: 'gone' } },
      null,
      'The job has no notebook',
    ],
  ] as const)('is a 404 of its own %s', async (_, state, retryAfter, msg) => {
    putJob(parts, id, { ...state, ...(state.state === 'active' ? { startedAtMs: Date.now() } : {}) });
    const { status, headers, text } = await send(`${id}/ipynb`);
    expect(JSON.parse(text)).toEqual({ detail: [{ type: 'no_notebook', msg, loc: ['path', 'job_id'] }] });
    expect(headers.get('retry-after')).toBe(retryAfter);
    expect(headers.get('content-disposition')).toBeNull();
    expect(status).toBe(404);
  });
});

describe('a reader beside the owner', () => {
  beforeEach(() => {
    putJob(parts, id, { state: 'active', startedAtMs: Date.now() });
    parts.readers.add('bob');
  });

  test('reads every job, which the log tells', async () => {
    expect((await send(id, 'bob')).status).toBe(200);
    putJob(parts, id);
    expect((await send(`${id}/ipynb`, 'bob')).text).toBe(RESULT);
    const told = server.lines.filter((line) => line.includes('job read by a reader'));
    expect(told.map((line) => JSON.parse(line))).toEqual(
      Array(2).fill(expect.objectContaining({ job_id: id, owner: 'alice', reader: 'bob' })),
    );
  });

  test('cancels none: it is as unknown as to anybody', async () => {
    expect((await send(id, 'bob', 'DELETE')).status).toBe(404);
    expect(parts.jobs.get(id)).toMatchObject({ state: 'active' });
    expect((await send(id, 'alice', 'DELETE')).status).toBe(200);
  });

  test('is nobody by default, and an owner is not logged as one', async () => {
    parts.readers.clear();
    expect((await send(id, 'bob')).status).toBe(404);
    expect((await send(id)).status).toBe(200);
    expect(server.lines.join('')).not.toContain('reader');
  });
});
