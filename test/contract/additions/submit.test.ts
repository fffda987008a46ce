import { expect, test } from 'vitest';
import { codeCell, ipynb } from '../../support/notebooks.ts';
import { Addition } from '../support/capabilities.ts';
import { call, complete, notebooksUrl, post, read, submit, type ErrorBody } from '../support/client.ts';

const { field, header } = Addition;
const wait = header('post', '', 'Prefer');
const key = header('post', '', 'Idempotency-Key');
const sleeper = (seconds: number) => ipynb({ cells: [codeCell(`import time; time.sleep(${seconds})`)] });
const newKey = () => crypto.randomUUID();

test('Prefer: wait answers 200 with the result when the job ends in time', async (context) => {
  await wait.orSkip(context);
  const { status, headers, json } = await post({ ipynb: ipynb() }, { Prefer: 'wait=20' });
  expect(status).toBe(200);
  expect(headers.get('preference-applied')).toBe('wait=20');
  expect(headers.get('location')).toBe(json.self_url);
  expect(json).toMatchObject({ status: 'complete', success: true, ipynb: expect.any(String) });
});

test('Prefer: wait answers 202 when the time is over', async (context) => {
  await wait.orSkip(context);
  const begun = performance.now();
  const { status, headers, json } = await post({ ipynb: sleeper(5) }, { Prefer: 'wait=1' });
  expect(status).toBe(202);
  expect(performance.now() - begun).toBeLessThan(4_000);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  await complete(json);
});

test('the path without its slash is not redirected', async (context) => {
  await wait.orSkip(context);
  const { status, json } = await call(notebooksUrl.replace(/\/$/, ''), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ipynb: ipynb() }),
  });
  expect(status).toBe(202);
  await complete(json);
});

test('a timeout that is null is absent, as Times Square sends it', async (context) => {
  await wait.orSkip(context);
  expect((await submit({ ipynb: ipynb(), timeout: null })).timeout).toBe(300);
});

test('parameters reach the notebook', async (context) => {
  await field('PostNotebookRequest', 'parameters').orSkip(context);
  const cells = [{ ...codeCell('n = 1'), metadata: { tags: ['parameters'] } }, codeCell('print(n + 1)')];
  const job = await complete(await submit({ ipynb: ipynb({ cells }), parameters: { n: 41 } }));
  expect(job.ipynb).toContain('42\\n');
});

test('a cell is bounded by cell_timeout', async (context) => {
  await field('PostNotebookRequest', 'cell_timeout').orSkip(context);
  const job = await complete(await submit({ ipynb: sleeper(60), cell_timeout: '1s' }));
  expect(job).toMatchObject({ success: false, error: { code: 'timeout', reason: 'cell_timeout' } });
});

test('tags come back', async (context) => {
  await field('PostNotebookRequest', 'tags').orSkip(context);
  expect(await submit({ ipynb: ipynb(), tags: ['ci', 'nightly'] })).toMatchObject({
    tags: ['ci', 'nightly'],
  });
});

test('a priority is one of three', async (context) => {
  await field('PostNotebookRequest', 'priority').orSkip(context);
  const { status, json } = await post<ErrorBody>({ ipynb: ipynb(), priority: 'now' });
  expect(status).toBe(422);
  expect(json.detail[0]?.loc).toEqual(['body', 'priority']);
});

test('one Idempotency-Key is one job', async (context) => {
  await key.orSkip(context);
  const headers = { 'Idempotency-Key': newKey() };
  const body = { ipynb: ipynb() };
  const first = await submit(body, headers);
  expect((await submit(body, headers)).job_id).toBe(first.job_id);
  expect((await submit(body, { 'Idempotency-Key': newKey() })).job_id).not.toBe(first.job_id);
});

test('one Idempotency-Key for two notebooks is a conflict', async (context) => {
  await key.orSkip(context);
  const headers = { 'Idempotency-Key': newKey() };
  await submit({ ipynb: ipynb() }, headers);
  const { status } = await post({ ipynb: ipynb({ cells: [] }) }, headers);
  expect([409, 422]).toContain(status);
});

test('an identical job in flight is shared if wanted', async (context) => {
  await field('PostNotebookRequest', 'coalesce').orSkip(context);
  const body = { ipynb: sleeper(2), coalesce: true };
  const first = await submit(body);
  expect((await submit(body)).job_id).toBe(first.job_id);
  expect((await submit({ ...body, coalesce: false })).job_id).not.toBe(first.job_id);
  await complete(first);
  expect((await read(first)).job_id).toBe(first.job_id);
});
