import { expect, test } from 'vitest';
import { codeCell, ipynb } from '../../support/notebooks.ts';
import { Addition } from '../support/capabilities.ts';
import {
  call,
  complete,
  notebooksUrl,
  read,
  server,
  submit,
  until,
  type ErrorBody,
  type Job,
} from '../support/client.ts';

const { field, header, operation } = Addition;
const events = operation('get', '{job_id}/events');
const cancel = operation('delete', '{job_id}');
const slow = ipynb({ cells: [codeCell('print("begun")'), codeCell('import time; time.sleep(60)')] });
const isRunning = ({ status, progress }: Job) =>
  status === 'in_progress' && (progress as { current_cell?: number } | undefined)?.current_cell === 1;

test('Prefer: wait answers as soon as the job ends', async (context) => {
  await header('get', '{job_id}', 'Prefer').orSkip(context);
  const job = await submit({ ipynb: ipynb() });
  const { status, json } = await call(job.self_url, { headers: { Prefer: 'wait=20' } });
  expect(status).toBe(200);
  expect(json).toMatchObject({ status: 'complete', success: true });
});

test('what is known already is 304', async (context) => {
  await header('get', '{job_id}', 'If-None-Match').orSkip(context);
  const job = await complete(await submit({ ipynb: ipynb() }));
  const etag = (await call(job.self_url)).headers.get('etag') ?? '';
  const again = await call(job.self_url, { headers: { 'If-None-Match': etag } });
  expect([again.status, again.text]).toEqual([304, '']);
  const other = await call(`${job.self_url}?source=true`, { headers: { 'If-None-Match': etag } });
  expect(other.status).toBe(200);
});

test('the phase and the progress tell what a job does', async (context) => {
  await field('NotebookResponse', 'phase').orSkip(context);
  const job = await submit({ ipynb: ipynb({ cells: [codeCell('1'), codeCell('2')] }) });
  expect(job).toMatchObject({ phase: 'queued' });
  expect(await complete(job)).toMatchObject({
    phase: 'completed',
    attempts: 1,
    progress: { cells_done: 2, cells_total: 2 },
    environment: { kernel: 'lsst' },
  });
});

test('the events of a job begin with its start and end with its end', async (context) => {
  await events.orSkip(context);
  const job = await submit({ ipynb: ipynb() });
  const { headers, text } = await call(`${job.self_url}/events`);
  expect(headers.get('content-type')).toMatch(/^text\/event-stream/);
  const names = [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
  expect(names[0]).toBe('job_started');
  expect(names).toEqual(expect.arrayContaining(['cell_started', 'output', 'cell_finished']));
  expect(names.at(-1)).toBe('job_ended');
  // Whoever has seen a part is told the rest, and nothing once all is told.
  const ids = [...text.matchAll(/^id: (.+)$/gm)].map(([, id]) => id ?? '');
  const rest = await call(`${job.self_url}/events`, { headers: { 'Last-Event-ID': ids[0] ?? '' } });
  expect(rest.text).not.toContain('event: job_started');
  expect(rest.text).toContain('event: job_ended');
  const nothing = await call(`${job.self_url}/events`, { headers: { 'Last-Event-ID': ids.at(-1) ?? '' } });
  expect(nothing.status).toBe(204);
});

test('the executed notebook can be downloaded', async (context) => {
  await operation('get', '{job_id}/ipynb').orSkip(context);
  const job = await complete(await submit({ ipynb: ipynb() }));
  const { status, headers, text } = await call(`${job.self_url}/ipynb`);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/x-ipynb+json');
  expect(text).toBe(job.ipynb);
});

test('a job that runs can be cancelled, and keeps what was done', async (context) => {
  await cancel.orSkip(context);
  const job = await submit({ ipynb: slow });
  await until(job, isRunning);
  expect([200, 202]).toContain((await call(job.self_url, { method: 'DELETE' })).status);
  const ended = await complete(job);
  expect(ended).toMatchObject({
    success: false,
    phase: 'aborted',
    error: { code: 'unknown', reason: 'cancelled' },
    partial_ipynb: expect.stringContaining('begun\\n'),
  });
  expect(ended).not.toHaveProperty('ipynb');
  expect((await call(job.self_url, { method: 'DELETE' })).status).toBe(200);
});

test("one's own jobs are listed, the newest first, by pages", async (context) => {
  await operation('get', '').orSkip(context);
  const jobs = [await submit({ ipynb: ipynb() }), await submit({ ipynb: ipynb() })];
  interface Page {
    jobs: Job[];
    next_cursor?: string;
  }
  const first = await call<Page>(`${notebooksUrl}?limit=1`);
  expect(first.json.jobs.map(({ job_id }) => job_id)).toEqual([jobs[1]?.job_id]);
  const next = await call<Page>(`${notebooksUrl}?limit=1&cursor=${first.json.next_cursor}`);
  expect(next.json.jobs.map(({ job_id }) => job_id)).toEqual([jobs[0]?.job_id]);
  const { text } = await call(`${notebooksUrl}?limit=100`);
  expect(text).not.toContain('"ipynb"');
});

test('errors are problem+json for who asks for it', async (context) => {
  await Addition.problems.orSkip(context);
  const { status, headers, json } = await call(`${notebooksUrl}unknown`, {
    headers: { Accept: 'application/problem+json' },
  });
  expect(status).toBe(404);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(json).toMatchObject({ status: 404, title: 'Not Found', detail: 'Job not found' });
});

test("another's job is not there", async (context) => {
  await cancel.orSkip(context);
  const job = await submit({ ipynb: ipynb() });
  const headers = { Authorization: `Bearer ${server.otherToken}` };
  if (server.otherToken === undefined) return console.log('no NOTEBURST_OTHER_TOKEN: not asked as another');
  for (const [method, below] of [
    ['GET', ''],
    ['GET', '/ipynb'],
    ['GET', '/events'],
    ['DELETE', ''],
  ] as const) {
    const { status, json } = await call<ErrorBody>(job.self_url + below, { method, headers });
    expect([method, below, status]).toEqual([method, below, 404]);
    expect(json.detail[0]?.type).toBe('unknown_job');
  }
  expect((await read(job)).job_id).toBe(job.job_id);
});
