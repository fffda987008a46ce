import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { notebookResponse } from '../../../lib/contract/notebooks-api.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';
import {
  API_URL,
  identity,
  MemoryParts,
  QUEUE_NAME,
  serve,
  TOKENS,
  type TestServer,
} from '../../support/function-server.ts';
import { brief } from '../../support/brief.ts';
import { ipynb } from '../../support/notebooks.ts';

const UNKNOWN = { detail: [{ type: 'unknown_job', msg: 'Job not found', loc: ['path', 'job_id'] }] };
const ENQUEUED = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const STARTED = ENQUEUED + 1_000;
const FINISHED = ENQUEUED + 61_000;
const id = newJobId(QUEUE_NAME);
let parts: MemoryParts;
let server: TestServer;

beforeEach(async () => {
  parts = new MemoryParts();
  server = await serve(parts.status());
});

afterEach(() => server[Symbol.asyncDispose]());

async function get(path: string, init: RequestInit = { headers: identity('alice') }) {
  const response = await fetch(`${server.url}/noteburst/v1/notebooks/${path}`, init);
  const text = await response.text();
  const json: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, text, json };
}

function job(rest: Partial<JobSnapshot>): void {
  parts.sources.set(id, ipynb());
  parts.jobs.set(id, {
    id,
    data: { version: 1, owner: 'alice', kernel_name: 'lsst', timeout_seconds: 300, enable_retry: true },
    state: 'waiting',
    enqueuedAtMs: ENQUEUED,
    ...rest,
  });
}

const COMMON = {
  job_id: id,
  kernel_name: 'lsst',
  enqueue_time: '2026-01-02T03:04:05.678Z',
  self_url: `${API_URL}/notebooks/${id}`,
  timeout: 300,
};
const TIMES = { start_time: '2026-01-02T03:04:06.678Z', finish_time: '2026-01-02T03:05:06.678Z' };
const ended = { state: 'ended', startedAtMs: STARTED, finishedAtMs: FINISHED } as const;

describe('a job', () => {
  test.each<[string, Partial<JobSnapshot>, object]>([
    ['that waits', {}, { status: 'queued', phase: 'queued' }],
    ['that is held back', { state: 'delayed' }, { status: 'deferred', phase: 'queued' }],
    [
      'that an executor has just taken',
      { state: 'active', startedAtMs: STARTED },
      { status: 'in_progress', phase: 'leasing', start_time: TIMES.start_time },
    ],
    [
      'that runs',
      { state: 'active', startedAtMs: STARTED, progress: { cells_done: 1, cells_total: 3, current_cell: 2 } },
      {
        status: 'in_progress',
        phase: 'running',
        start_time: TIMES.start_time,
        progress: { cells_done: 1, cells_total: 3, current_cell: 2 },
      },
    ],
    [
      'that ran to its end',
      { ...ended, outcome: { result_id: 'r1' } },
      { status: 'complete', phase: 'completed', ...TIMES, success: true, ipynb: 'the result' },
    ],
    [
      'whose notebook raised',
      {
        ...ended,
        outcome: { result_id: 'r1', ipynb_error: { name: 'ZeroDivisionError', message: 'division by zero' } },
      },
      {
        status: 'complete',
        phase: 'completed',
        ...TIMES,
        success: true,
        ipynb: 'the result',
        ipynb_error: { name: 'ZeroDivisionError', message: 'division by zero' },
      },
    ],
    [
      'that took too long',
      {
        ...ended,
        outcome: { result_id: 'r1', error: { code: 'timeout', reason: 'run_timeout', message: 'too long' } },
      },
      {
        status: 'complete',
        phase: 'failed',
        ...TIMES,
        success: false,
        partial_ipynb: 'the result',
        error: { code: 'timeout', reason: 'run_timeout', message: 'too long' },
      },
    ],
    [
      'that was cancelled',
      { ...ended, outcome: { error: { code: 'unknown', reason: 'cancelled' } } },
      {
        status: 'complete',
        phase: 'aborted',
        ...TIMES,
        success: false,
        error: { code: 'unknown', reason: 'cancelled' },
      },
    ],
    [
      'that the queue gave up',
      { ...ended, failedReason: 'job stalled more than allowable limit' },
      {
        status: 'complete',
        phase: 'failed',
        ...TIMES,
        success: false,
        error: { code: 'unknown', reason: 'executor_lost', message: 'job stalled more than allowable limit' },
      },
    ],
    [
      'that ended without ever starting',
      { state: 'ended', finishedAtMs: FINISHED, outcome: { error: { code: 'timeout', reason: 'expired' } } },
      {
        status: 'complete',
        phase: 'failed',
        start_time: TIMES.finish_time,
        finish_time: TIMES.finish_time,
        success: false,
        error: { code: 'timeout', reason: 'expired' },
      },
    ],
    [
      'whose result has expired',
      { ...ended, outcome: { result_id: 'gone' } },
      { status: 'complete', phase: 'completed', ...TIMES, success: true },
    ],
  ])('%s is shown as such, without nulls', async (_, snapshot, expected) => {
    parts.results.set(`${id}/r1`, 'the result');
    job(snapshot);
    const { status, json } = await get(id);
    expect(json).toEqual({ ...COMMON, ...expected });
    expect(notebookResponse.parse(json)).toEqual(json);
    expect(status).toBe(200);
  });

  test.each(['true', '1', 'yes', 'on', 'T', 'Y'])('is shown with its source for source=%s', async (value) => {
    job({});
    expect((await get(`${id}?source=${value}`)).json).toMatchObject({ source: ipynb() });
  });

  test.each(['', '?source=false', '?source=0', '?result=true'])(
    'is shown without its source for "%s"',
    async (query) => {
      job({});
      expect((await get(id + query)).json).not.toHaveProperty('source');
    },
  );

  test('is shown without anything of its end for result=false', async () => {
    parts.results.set(`${id}/r1`, 'the result');
    job({ ...ended, outcome: { result_id: 'r1', ipynb_error: { name: 'E', message: 'm' } } });
    expect((await get(`${id}?result=false`)).json).toEqual({
      ...COMMON,
      status: 'complete',
      phase: 'completed',
    });
  });

  test('may be asked for with HEAD', async () => {
    job({});
    expect(await get(id, { method: 'HEAD', headers: identity('alice') })).toMatchObject({
      status: 200,
      text: '',
    });
  });
});

describe('a question that is wrong', () => {
  test("for another's job is answered as for one that does not exist", async () => {
    job({});
    const [others, unknown] = [
      await get(id, { headers: identity('bob') }),
      await get(newJobId(QUEUE_NAME), { headers: identity('bob') }),
    ];
    expect(others).toMatchObject({ status: 404, json: UNKNOWN });
    expect(others.text).toBe(unknown.text);
    expect(unknown.status).toBe(404);
  });

  test.each(
    [
      'x',
      '1',
      'nbexec',
      'nbexec-',
      `nbexec-${'G'.repeat(32)}`,
      `${id}%00`,
      `%2e%2e%2f${id}`,
      newJobId('other'),
      'a'.repeat(5_000),
    ].map((id) => [brief(id), id]),
  )('for the id %s is a 404', async (_, malformed = '') => {
    job({});
    expect(await get(malformed)).toMatchObject({ status: 404, json: UNKNOWN });
  });

  test('with a flag that is neither yes nor no is told which', async () => {
    job({});
    expect(await get(`${id}?source=canary&result=2`)).toMatchObject({
      status: 422,
      json: {
        detail: [
          { type: 'bool_parsing', loc: ['query', 'source'], msg: 'Input should be a valid boolean' },
          { type: 'bool_parsing', loc: ['query', 'result'], msg: 'Input should be a valid boolean' },
        ],
      },
    });
  });

  test.each([
    ['without an identity', {}],
    ["under another's name", { 'X-Auth-Request-User': 'alice', 'X-Auth-Request-Token': TOKENS.bob }],
  ])('%s is a 401, before anything is looked up', async (_, headers) => {
    job({});
    const { status, json } = await get(id, { headers });
    expect(json).toMatchObject({ detail: [{ type: 'invalid_identity' }] });
    expect(status).toBe(401);
  });

  test.each([
    ['POST', id, 'GET, DELETE'],
    ['PUT', id, 'GET, DELETE'],
    ['PATCH', id, 'GET, DELETE'],
    ['OPTIONS', id, 'GET, DELETE'],
    ['DELETE', `${id}/events`, 'GET'],
    ['POST', `${id}/events`, 'GET'],
  ])('in the method %s of %s is a 405 that names the right ones', async (method, path, allow) => {
    job({});
    const { status, headers, json } = await get(path, { method, headers: identity('alice') });
    expect(json).toEqual({ detail: [{ type: 'method_not_allowed', msg: 'Method Not Allowed' }] });
    expect(headers.get('allow')).toBe(allow);
    expect(status).toBe(405);
    expect(parts.jobs.get(id)).toMatchObject({ state: 'waiting' });
  });

  test('puts neither id, flag nor token into the log', async () => {
    job({});
    await get(`${id}?source=canary`);
    await get('canary', {
      headers: { 'X-Auth-Request-User': 'alice', 'X-Auth-Request-Token': 'gt-canary.canary' },
    });
    expect(server.lines.join('')).not.toContain('canary');
    expect(server.lines.join('')).not.toContain(TOKENS.alice);
  });
});

describe('what the service says of itself', () => {
  const metadata = {
    name: 'noteburst',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    description: expect.any(String),
    repository_url: expect.stringMatching(/^https:/),
    documentation_url: expect.stringMatching(/^https:/),
  };
  test.each([
    ['/', metadata],
    ['/noteburst', { metadata }],
    ['/noteburst/', { metadata }],
  ])('is at %s, for anybody', async (path, expected) => {
    const response = await fetch(server.url + path);
    expect(await response.json()).toEqual(expected);
    expect(response.status).toBe(200);
  });

  test('is nowhere else', async () => {
    const response = await fetch(`${server.url}/noteburst/nothing`);
    expect(await response.json()).toEqual({ detail: [{ type: 'not_found', msg: 'Not Found' }] });
    expect(response.status).toBe(404);
  });
});
