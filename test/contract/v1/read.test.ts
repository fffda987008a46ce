import { beforeAll, describe, expect, test } from 'vitest';
import { codeCell, ipynb, markdownCell } from '../../support/notebooks.ts';
import {
  call,
  complete,
  notebooksUrl,
  read,
  server,
  submit,
  type ErrorBody,
  type Job,
} from '../support/client.ts';

const source = ipynb({ cells: [markdownCell('# Title'), codeCell('x = 6 * 7\nprint(x)')] });

let job: Job;
let ended: Job;
beforeAll(async () => {
  job = await submit({ ipynb: source });
  ended = await complete(job);
});

test('a complete job has its result, its times and no errors', () => {
  expect(ended).toMatchObject({ status: 'complete', success: true, kernel_name: 'lsst', timeout: 300 });
  expect(ended.ipynb).toEqual(expect.any(String));
  expect(JSON.parse(ended.ipynb ?? '')).toMatchObject({
    nbformat: 4,
    cells: [
      { cell_type: 'markdown' },
      { cell_type: 'code', outputs: [{ output_type: 'stream', name: 'stdout', text: '42\n' }] },
    ],
  });
  const [enqueued, started, finished] = [ended.enqueue_time, ended.start_time, ended.finish_time].map(
    (time) => Date.parse(time ?? ''),
  ) as [number, number, number];
  expect(started).toBeGreaterThanOrEqual(enqueued);
  expect(finished).toBeGreaterThanOrEqual(started);
  for (const name of ['error', 'ipynb_error', 'source']) expect(ended).not.toHaveProperty(name);
});

describe('the query', () => {
  test.each(['source=true', 'source=1', 'source=yes', 'source=on', 'source=True'])(
    '%s adds the notebook as it was sent',
    async (query) => {
      expect((await read(job, `?${query}`)).source).toBe(source);
    },
  );

  test.each(['result=false', 'result=0', 'result=no'])('%s leaves the result out', async (query) => {
    const now = await read(job, `?${query}`);
    expect(now.status).toBe('complete');
    for (const name of ['ipynb', 'success', 'start_time', 'finish_time'])
      expect(now).not.toHaveProperty(name);
  });

  test('both may be given, and others are passed over', async () => {
    const now = await read(job, '?source=true&result=false&colour=blue');
    expect(now.source).toBe(source);
    expect(now).not.toHaveProperty('ipynb');
  });

  test('what is neither yes nor no is 422', async () => {
    const { status, json } = await call<ErrorBody>(`${job.self_url}?source=perhaps`);
    expect(status).toBe(422);
    expect(json.detail[0]).toMatchObject({ type: 'bool_parsing', loc: ['query', 'source'] });
  });
});

test('an unknown job is 404, in FastAPI’s form', async () => {
  const { status, json } = await call<ErrorBody>(`${notebooksUrl}unknown`);
  expect(status).toBe(404);
  expect(json.detail).toEqual([{ type: 'unknown_job', msg: 'Job not found', loc: ['path', 'job_id'] }]);
});

test.each(['0', 'a:b', '..%2f', 'x'.repeat(500)])('there is no job %s: 404', async (id) => {
  expect((await call(`${notebooksUrl}${id}`)).status).toBe(404);
});

test('a job is nobody’s who has no token', async () => {
  expect([400, 401]).toContain((await call(job.self_url, { headers: { Authorization: '' } })).status);
});

test('the service says who it is', async () => {
  const { status, json } = await call<{ metadata: Record<string, string> }>(`${server.baseUrl}/`);
  expect(status).toBe(200);
  expect(json.metadata).toMatchObject({ name: 'noteburst', version: expect.any(String) });
});

test('the service describes its API', async () => {
  const { status, json } = await call<{ paths: Record<string, object> }>(`${server.baseUrl}/openapi.json`);
  expect(status).toBe(200);
  const { pathname } = new URL(notebooksUrl);
  expect(json.paths[pathname]).toHaveProperty('post');
  expect(json.paths[`${pathname}{job_id}`]).toHaveProperty('get');
  const docs = await call(`${server.baseUrl}/docs`);
  expect(docs.headers.get('content-type')).toMatch(/^text\/html/);
});
