import { describe, expect, test } from 'vitest';
import { codeCell, ipynb, notebook } from '../../support/notebooks.ts';
import {
  call,
  complete,
  notebooksUrl,
  post,
  read,
  server,
  submit,
  type ErrorBody,
} from '../support/client.ts';

const STATUSES = ['queued', 'in_progress', 'complete', 'deferred', 'not_found'];
const NEVER_NULL = ['source', 'ipynb', 'ipynb_error', 'error', 'start_time', 'finish_time', 'success'];

test('a notebook is accepted with 202, its job and its URL', async () => {
  const { status, headers, json } = await post({ ipynb: ipynb(), kernel_name: 'lsst' });
  expect(status).toBe(202);
  expect(json).toMatchObject({ kernel_name: 'lsst', status: 'queued', timeout: 300 });
  expect(json.job_id).toEqual(expect.any(String));
  expect(json.self_url).toBe(headers.get('location'));
  expect(json.self_url).toBe(`${server.baseUrl}/v1/notebooks/${json.job_id}`);
  expect(json.enqueue_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
  // Within the clocks of two machines.
  expect(Math.abs(Date.parse(json.enqueue_time) - Date.now())).toBeLessThan(60_000);
  for (const name of NEVER_NULL) expect(json).not.toHaveProperty(name);
  await complete(json);
});

test('what was answered is what is read', async () => {
  const job = await submit({ ipynb: ipynb(), kernel_name: 'python3', timeout: 60 });
  const now = await read(job, '?result=false');
  for (const name of ['job_id', 'self_url', 'kernel_name', 'enqueue_time', 'timeout'])
    expect(now[name]).toEqual(job[name]);
  expect(STATUSES).toContain(now.status);
  await complete(job);
});

test('a submission is not redirected', async () => {
  const { status } = await post({ ipynb: ipynb() });
  expect(status).toBe(202);
});

test('the notebook may be an object', async () => {
  const source = notebook({ cells: [codeCell('1')] });
  const job = await submit({ ipynb: source });
  expect(JSON.parse((await read(job, '?source=true')).source ?? '')).toEqual(source);
  await complete(job);
});

test('fields that nobody knows are passed over, and retries may be declined', async () => {
  const job = await submit({ ipynb: ipynb(), enable_retry: false, colour: 'blue' });
  expect(await complete(job)).toMatchObject({ success: true });
});

describe('the timeout', () => {
  test.each([
    [90, 90],
    [1.5, 1.5],
    ['90', 90],
    ['5m', 300],
    ['1h', 3_600],
    ['20 min 5 s', 1_205],
    ['PT5M', 300],
  ])('%j is %d s', async (timeout, seconds) => {
    const job = await submit({ ipynb: ipynb({ cells: [] }), timeout });
    expect(job.timeout).toBe(seconds);
  });

  test.each(['soon', {}, [5], '5 parsecs'])('%j is not one', async (timeout) => {
    const { status, json } = await post<ErrorBody>({ ipynb: ipynb(), timeout });
    expect(status).toBe(422);
    expect(json.detail[0]).toMatchObject({ loc: ['body', 'timeout'], msg: expect.any(String) });
  });
});

describe('what is refused, in FastAPI’s form', () => {
  test('a body without a notebook', async () => {
    const { status, json } = await post<ErrorBody>({ kernel_name: 'lsst' });
    expect(status).toBe(422);
    expect(json.detail).toMatchObject([{ type: 'missing', loc: ['body', 'ipynb'], msg: 'Field required' }]);
  });

  test.each([
    ['ipynb', { ipynb: 5 }],
    ['kernel_name', { ipynb: ipynb(), kernel_name: 5 }],
    ['enable_retry', { ipynb: ipynb(), enable_retry: 'perhaps' }],
  ])('a wrong %s', async (field, body) => {
    const { status, json } = await post<ErrorBody>(body);
    expect(status).toBe(422);
    expect(json.detail[0]?.loc?.slice(0, 2)).toEqual(['body', field]);
    for (const { type, msg } of json.detail) expect([typeof type, typeof msg]).toEqual(['string', 'string']);
  });

  test('what is not JSON', async () => {
    const { status, json } = await post<ErrorBody>('{"ipynb": ');
    expect(status).toBe(422);
    expect(json.detail[0]).toMatchObject({
      type: 'json_invalid',
      loc: expect.arrayContaining(['body']),
    });
  });

  test('a caller without a token', async () => {
    const { status } = await call(notebooksUrl, {
      method: 'POST',
      headers: { Authorization: '', 'Content-Type': 'application/json' },
      body: JSON.stringify({ ipynb: ipynb() }),
    });
    expect([400, 401]).toContain(status);
  });
});
