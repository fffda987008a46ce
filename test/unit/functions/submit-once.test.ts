import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { notebookListResponse, notebookResponse } from '../../../lib/contract/notebooks-api.ts';
import type { Submission } from '../../../lib/queue/admission.ts';
import { KeyInUseError, KeyReusedError, PoolBotError } from '../../../lib/queue/submission-errors.ts';
import { API_URL, identity } from '../../support/function-server.ts';
import { ipynb, notebook } from '../../support/notebooks.ts';
import { SubmitClient } from '../../support/submit-client.ts';

const TAG = 'Input should be a string of 1 to 64 characters';
let client: SubmitClient;
/** What the function asked to have admitted. */
let asked: Submission[];
beforeEach(async () => {
  client = await SubmitClient.start();
  ({ asked } = client.parts);
});
afterEach(() => client[Symbol.asyncDispose]());

const submit = (body: object = {}, headers: Record<string, string> = {}) =>
  client.submitText(JSON.stringify({ ipynb: ipynb(), ...body }), headers);

describe('tags', () => {
  test('are kept with the job, and shown', async () => {
    const tags = ['a', 'x'.repeat(64), 'Grüße 🔭', 'a'];
    const { status, json } = await submit({ tags });
    expect(status).toBe(202);
    expect(json['tags']).toEqual(tags);
    expect(notebookResponse.parse(json)).toEqual(json);
    expect([...client.parts.jobs.values()].map(({ data }) => data.tags)).toEqual([tags]);
  });

  test.each([undefined, null, [[]]])('may be left out: %j', async (tags) => {
    expect((await submit({ tags })).json).not.toHaveProperty('tags');
  });

  test.each([
    ['nightly', ['tags'], 'Input should be a list of strings'],
    [[1], ['tags', 0], TAG],
    [['ok', ''], ['tags', 1], TAG],
    [['x'.repeat(65)], ['tags', 0], TAG],
    [Array(11).fill('x'), ['tags'], 'Input should have at most 10 tags'],
  ])('may not be %j', async (tags, loc, msg) => {
    const { status, json } = await submit({ tags });
    expect(json.detail).toEqual([expect.objectContaining({ loc: ['body', ...loc], msg })]);
    expect(status).toBe(422);
  });
});

describe('what makes two submissions the same', () => {
  test('is what was understood, not how it was written', async () => {
    await submit({ timeout: 300, coalesce: 'yes' }, { 'Idempotency-Key': 'a' });
    await submit(
      { timeout: '5m', ipynb: notebook(), coalesce: true, owner: 'x' },
      { 'Idempotency-Key': 'a' },
    );
    const [one, other] = asked;
    expect(one).toEqual({ ...other, jobId: one?.jobId });
    expect(one).toMatchObject({ owner: 'alice', coalesce: true, idempotency: { key: 'a' } });
  });

  test.each([
    { ipynb: ipynb({ metadata: { x: 1 } }) },
    { kernel_name: 'other' },
    { timeout: 1 },
    { parameters: {} },
    { cell_timeout: 300 },
    { enable_retry: false },
  ])('is how it runs: %j', async (other) => {
    for (const body of [{}, other]) await submit(body, { 'Idempotency-Key': 'a' });
    expect(new Set(asked.map(({ fingerprint }) => fingerprint)).size).toBe(2);
    expect(new Set(asked.map(({ idempotency }) => idempotency?.fingerprint)).size).toBe(2);
  });

  test.each([{ priority: 'ci' }, { tags: ['a'] }, { coalesce: true }])(
    'is for an idempotency key also what else is asked for: %j',
    async (other) => {
      for (const body of [{}, other]) await submit(body, { 'Idempotency-Key': 'a' });
      expect(new Set(asked.map(({ fingerprint }) => fingerprint)).size).toBe(1);
      expect(new Set(asked.map(({ idempotency }) => idempotency?.fingerprint)).size).toBe(2);
    },
  );
});

test.each(['', ' ', 'a b', 'x'.repeat(256), 'é'])('the idempotency key %j is a 422', async (key) => {
  const { status, json } = await submit({}, { 'Idempotency-Key': key });
  expect(json.detail).toEqual([
    {
      type: 'value_error',
      loc: ['header', 'Idempotency-Key'],
      msg: 'The idempotency key should be 1 to 255 visible ASCII characters',
    },
  ]);
  expect(status).toBe(422);
  expect(asked).toEqual([]);
});

test('an idempotency key may be 255 characters of every visible kind, and is not logged', async () => {
  const key = `"canary!~${'x'.repeat(246)}`;
  expect((await submit({ tags: ['canary'] }, { 'Idempotency-Key': key })).status).toBe(202);
  expect(asked[0]?.idempotency?.key).toBe(key);
  expect(client.server.lines.join('')).not.toContain('canary');
});

test.each([
  [new PoolBotError('no'), 403, 'pool_bot', null],
  [new KeyReusedError('no'), 422, 'idempotency_key_reused', null],
  [new KeyInUseError(3), 409, 'idempotency_key_in_use', '3'],
])('%s is a %d', async (error, status, type, retryAfter) => {
  client.parts.admission.admit = async () => {
    throw error;
  };
  const refused = await submit();
  expect(refused.json.detail?.[0]).toMatchObject({ type });
  expect(refused.headers.get('retry-after')).toBe(retryAfter);
  expect(refused.status).toBe(status);
  expect(client.parts.jobs.size).toBe(0);
});

describe('a submission that is answered with a job that exists', () => {
  let jobId: string;
  beforeEach(async () => {
    jobId = String((await submit()).json['job_id']);
    client.parts.admission.admit = async () => ({ jobId, exists: true, confirm: [] });
  });

  test('adds none', async () => {
    const { status, headers, json } = await submit({ kernel_name: 'other' });
    expect(json).toMatchObject({ job_id: jobId, kernel_name: 'lsst' });
    expect(headers.get('location')).toBe(`${API_URL}/notebooks/${jobId}`);
    expect(status).toBe(202);
    expect(client.parts.jobs.size).toBe(1);
  });

  test('is a 503 when that has just been removed', async () => {
    client.parts.jobs.clear();
    expect((await submit()).status).toBe(503);
  });
});

describe('the list of jobs', () => {
  const list = (query = '', user: 'alice' | 'bob' = 'alice') =>
    client.send('GET', `/noteburst/v1/notebooks/${query}`, identity(user));

  test("has the caller's own, a page at a time", async () => {
    const ids = [];
    for (let n = 0; n < 3; n++) ids.unshift(String((await submit()).json['job_id']));
    const first = await list('?limit=2');
    expect(notebookListResponse.parse(first.json).jobs.map(({ job_id }) => job_id)).toEqual(ids.slice(0, 2));
    const cursor = String(first.json['next_cursor']);
    expect(first.headers.get('link')).toBe(`<${API_URL}/notebooks/?limit=2&cursor=${cursor}>; rel="next"`);
    const second = notebookListResponse.parse((await list(`?limit=2&cursor=${cursor}`)).json);
    expect(second.jobs.map(({ job_id }) => job_id)).toEqual(ids.slice(2));
    expect(second).not.toHaveProperty('next_cursor');
    expect((await list('', 'bob')).json).toEqual({ jobs: [] });
  });

  test('is for nobody without an identity, and a 503 while Redis is away', async () => {
    expect((await client.send('GET', '/noteburst/v1/notebooks/', {})).status).toBe(401);
    client.parts.queue.listOwn = () => Promise.reject(new Error('Connection is closed.'));
    expect((await list()).status).toBe(503);
  });
});
