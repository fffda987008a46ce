import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QueueFullError, TooManyJobsError } from '../../../lib/queue/submission-errors.ts';
import { isJobId } from '../../../lib/contract/nbexec-job.ts';
import { notebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { API_URL, identity } from '../../support/function-server.ts';
import { ipynb, notebook } from '../../support/notebooks.ts';
import { SubmitClient } from '../../support/submit-client.ts';

let client: SubmitClient;
beforeEach(async () => {
  client = await SubmitClient.start();
});
afterEach(() => client[Symbol.asyncDispose]());

/** The data of the only job that was accepted. */
function acceptedJob() {
  expect(client.parts.jobs.size).toBe(1);
  const [job] = client.parts.jobs.values();
  return job as NonNullable<typeof job>;
}

describe('a notebook that is taken', () => {
  test('is answered with 202, the place of its job, and the job as queued', async () => {
    const { status, headers, json } = await client.submit({ ipynb: ipynb() });
    const id = String(json['job_id']);
    expect(status).toBe(202);
    expect(isJobId(id, 'nbexec')).toBe(true);
    expect(headers.get('location')).toBe(`${API_URL}/notebooks/${id}`);
    expect(json).toEqual({
      job_id: id,
      kernel_name: 'lsst',
      enqueue_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      status: 'queued',
      self_url: `${API_URL}/notebooks/${id}`,
      timeout: 300,
      phase: 'queued',
    });
    expect(notebookResponse.parse(json)).toEqual(json);
  });

  test('is kept to the letter, under the owner that the token names', async () => {
    const text = `${JSON.stringify(notebook(), undefined, 1)}\n`;
    await client.submit({ ipynb: text, owner: 'bob', username: 'bob' });
    const job = acceptedJob();
    expect(client.parts.sources.get(job.id)).toBe(text);
    expect(job.data).toEqual({
      version: 1,
      owner: 'alice',
      kernel_name: 'lsst',
      timeout_seconds: 300,
      enable_retry: true,
    });
  });

  test('may be the object itself, which is the same as its text', async () => {
    await client.submit({ ipynb: notebook() });
    expect(client.parts.sources.get(acceptedJob().id)).toBe(ipynb());
  });

  test.each(['/noteburst/v1/notebooks/', '/noteburst/v1/notebooks'])(
    'may be sent to %s, without a redirect',
    async (path) => {
      const headers = { ...identity('alice'), 'Content-Type': 'application/json' };
      expect((await client.send('POST', path, headers, JSON.stringify({ ipynb: ipynb() }))).status).toBe(202);
    },
  );

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/vnd.rubin+json'])(
    'may come as %s',
    async (type) => {
      expect(
        (await client.submitText(JSON.stringify({ ipynb: ipynb() }), { 'Content-Type': type })).status,
      ).toBe(202);
    },
  );

  test('may come compressed', async () => {
    const body = gzipSync(JSON.stringify({ ipynb: ipynb() }));
    expect((await client.submitText(body, { 'Content-Encoding': 'gzip' })).status).toBe(202);
    expect(client.parts.sources.get(acceptedJob().id)).toBe(ipynb());
  });

  test.each([0, 4, 5])('may be of nbformat 4.%d', async (minor) => {
    expect((await client.submit({ ipynb: ipynb({ nbformat_minor: minor }) })).status).toBe(202);
  });

  test.each([
    [undefined, 300],
    [null, 300],
    [90, 90],
    [0.5, 0.5],
    ['90', 90],
    ['5m', 300],
    ['1h', 3_600],
    ['PT5M', 300],
    [3_600, 3_600],
  ])('with the timeout %j may run %d s', async (timeout, seconds) => {
    expect((await client.submit({ ipynb: ipynb(), timeout })).json['timeout']).toBe(seconds);
    expect(acceptedJob().data.timeout_seconds).toBe(seconds);
  });

  test.each([
    [undefined, true],
    [true, true],
    [1, true],
    ['true', true],
    ['Yes', true],
    ['ON', true],
    ['t', true],
    ['y', true],
    ['1', true],
    [false, false],
    [0, false],
    ['false', false],
    ['no', false],
    ['Off', false],
    ['f', false],
    ['n', false],
    ['0', false],
  ])('with enable_retry %j means %j, as in v1', async (value, meaning) => {
    expect((await client.submit({ ipynb: ipynb(), enable_retry: value })).status).toBe(202);
    expect(acceptedJob().data.enable_retry).toBe(meaning);
  });

  test('leaves no trace of a field that would be the prototype of something', async () => {
    const body = `{"ipynb":${JSON.stringify(ipynb())},"__proto__":{"kernel_name":"evil"},"constructor":{"prototype":{"evil":1}}}`;
    expect((await client.submitText(body)).json['kernel_name']).toBe('lsst');
    expect(Object.hasOwn(Object.prototype, 'evil')).toBe(false);
  });
});

const fail = async () => {
  throw new Error('Connection is closed.');
};

describe('a priority', () => {
  test.each(['interactive', 'ci', 'batch'])('may be %s', async (priority) => {
    expect((await client.submit({ ipynb: ipynb(), priority })).status).toBe(202);
    expect(acceptedJob().data.priority).toBe(priority);
  });

  test('may be left to the service, as by v1', async () => {
    expect((await client.submit({ ipynb: ipynb(), priority: null })).status).toBe(202);
    expect(acceptedJob().data).not.toHaveProperty('priority');
  });

  test.each(['urgent', 1, ''])('may not be %j', async (priority) => {
    const { status, json } = await client.submit({ ipynb: ipynb(), priority });
    const msg = 'Input should be one of interactive, ci, batch';
    expect(json).toEqual({ detail: [{ type: 'value_error', loc: ['body', 'priority'], msg }] });
    expect(status).toBe(422);
  });
});

describe('a notebook that is not admitted', () => {
  test('as its owner has too many is a 429', async () => {
    client.parts.admission.admit = () => Promise.reject(new TooManyJobsError(1_000, 17));
    const { status, headers, json } = await client.submit({ ipynb: ipynb() });
    expect(json).toEqual({
      detail: [{ type: 'too_many_jobs', msg: 'The caller has 1000 unfinished jobs already' }],
    });
    expect(headers.get('retry-after')).toBe('17');
    expect(status).toBe(429);
    expect(client.parts.sources.size + client.parts.jobs.size).toBe(0);
  });

  test('as Redis is nearly full is a 503', async () => {
    client.parts.admission.admit = () => Promise.reject(new QueueFullError('Redis is nearly full'));
    const { status, headers } = await client.submit({ ipynb: ipynb() });
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    expect(client.parts.sources.size + client.parts.jobs.size).toBe(0);
  });
});

describe('what is promised with a 202', () => {
  test('has the time that it may take', async () => {
    expect((await client.submit({ ipynb: ipynb() })).headers.get('retry-after')).toBe('7');
  });

  test('is the notebook, written with its job', async () => {
    const { add } = client.parts.queue;
    client.parts.queue.add = async (jobId, data, along) => {
      expect(along).toEqual([{ command: 'SET', key: jobId, args: [ipynb()] }]);
      return add(jobId, data, along);
    };
    expect((await client.submit({ ipynb: ipynb() })).status).toBe(202);
    expect(client.parts.sources.size).toBe(1);
  });

  test.each(['store', 'queue'] as const)('is not promised when the %s fails', async (part) => {
    if (part === 'store') client.parts.store.sourceWrite = fail;
    else client.parts.queue.add = fail;
    const { status, headers, json } = await client.submit({ ipynb: ipynb() });
    expect(json).toEqual({
      detail: [
        {
          type: 'service_unavailable',
          msg: 'The queue is not available, the notebook was not accepted: please submit it again',
        },
      ],
    });
    expect(headers.get('retry-after')).toBe('5');
    expect(status).toBe(503);
    expect(client.parts.jobs.size).toBe(0);
  });
});
