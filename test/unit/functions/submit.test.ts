import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QueueFullError, TooManyJobsError } from '../../../lib/queue/admission.ts';
import { isJobId } from '../../../lib/contract/nbexec-job.ts';
import { notebookResponse } from '../../../lib/contract/notebooks-api.ts';
import {
  API_URL,
  identity,
  MemoryParts,
  serve,
  TOKENS,
  type TestServer,
} from '../../support/function-server.ts';
import { brief, briefly } from '../../support/brief.ts';
import { ipynb, notebook } from '../../support/notebooks.ts';

const CANARY = 'canary-in-the-notebook';
type Body = NonNullable<RequestInit['body']>;
let parts: MemoryParts;
let server: TestServer;

beforeEach(async () => {
  parts = new MemoryParts();
  server = await serve(parts.submit());
});

afterEach(() => server[Symbol.asyncDispose]());

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: { detail?: { type: string; msg: string; loc?: unknown[] }[] } & Record<string, unknown>;
}

async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Body,
): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text === '' ? {} : JSON.parse(text),
  };
}

const submitText = (body: Body, headers: Record<string, string> = {}): Promise<Answer> =>
  send(
    'POST',
    '/noteburst/v1/notebooks/',
    { ...identity('alice'), 'Content-Type': 'application/json', ...headers },
    body,
  );

const submit = (body: unknown): Promise<Answer> => submitText(JSON.stringify(body));

/** The data of the only job that was accepted. */
function acceptedJob() {
  expect(parts.jobs.size).toBe(1);
  const [job] = parts.jobs.values();
  return job as NonNullable<typeof job>;
}

describe('a notebook that is taken', () => {
  test('is answered with 202, the place of its job, and the job as queued', async () => {
    const { status, headers, json } = await submit({ ipynb: ipynb() });
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
    await submit({ ipynb: text, owner: 'bob', username: 'bob' });
    const job = acceptedJob();
    expect(parts.sources.get(job.id)).toBe(text);
    expect(job.data).toEqual({
      version: 1,
      owner: 'alice',
      kernel_name: 'lsst',
      timeout_seconds: 300,
      enable_retry: true,
    });
  });

  test('may be the object itself, which is the same as its text', async () => {
    await submit({ ipynb: notebook() });
    expect(parts.sources.get(acceptedJob().id)).toBe(ipynb());
  });

  test.each(['/noteburst/v1/notebooks/', '/noteburst/v1/notebooks'])(
    'may be sent to %s, without a redirect',
    async (path) => {
      const headers = { ...identity('alice'), 'Content-Type': 'application/json' };
      expect((await send('POST', path, headers, JSON.stringify({ ipynb: ipynb() }))).status).toBe(202);
    },
  );

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/vnd.rubin+json'])(
    'may come as %s',
    async (type) => {
      expect((await submitText(JSON.stringify({ ipynb: ipynb() }), { 'Content-Type': type })).status).toBe(
        202,
      );
    },
  );

  test('may come compressed', async () => {
    const body = gzipSync(JSON.stringify({ ipynb: ipynb() }));
    expect((await submitText(body, { 'Content-Encoding': 'gzip' })).status).toBe(202);
    expect(parts.sources.get(acceptedJob().id)).toBe(ipynb());
  });

  test.each([0, 4, 5])('may be of nbformat 4.%d', async (minor) => {
    expect((await submit({ ipynb: ipynb({ nbformat_minor: minor }) })).status).toBe(202);
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
    expect((await submit({ ipynb: ipynb(), timeout })).json['timeout']).toBe(seconds);
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
    expect((await submit({ ipynb: ipynb(), enable_retry: value })).status).toBe(202);
    expect(acceptedJob().data.enable_retry).toBe(meaning);
  });

  test('leaves no trace of a field that would be the prototype of something', async () => {
    const body = `{"ipynb":${JSON.stringify(ipynb())},"__proto__":{"kernel_name":"evil"},"constructor":{"prototype":{"evil":1}}}`;
    expect((await submitText(body)).json['kernel_name']).toBe('lsst');
    expect(Object.hasOwn(Object.prototype, 'evil')).toBe(false);
  });
});

const fail = async () => {
  throw new Error('Connection is closed.');
};

describe('a priority', () => {
  test.each(['interactive', 'ci', 'batch'])('may be %s', async (priority) => {
    expect((await submit({ ipynb: ipynb(), priority })).status).toBe(202);
    expect(acceptedJob().data.priority).toBe(priority);
  });

  test('may be left to the service, as by v1', async () => {
    expect((await submit({ ipynb: ipynb(), priority: null })).status).toBe(202);
    expect(acceptedJob().data).not.toHaveProperty('priority');
  });

  test.each(['urgent', 1, ''])('may not be %j', async (priority) => {
    const { status, json } = await submit({ ipynb: ipynb(), priority });
    const msg = 'Input should be one of interactive, ci, batch';
    expect(json).toEqual({ detail: [{ type: 'value_error', loc: ['body', 'priority'], msg }] });
    expect(status).toBe(422);
  });
});

describe('a notebook that is not admitted', () => {
  test('as its owner has too many is a 429', async () => {
    parts.admission.admit = () => Promise.reject(new TooManyJobsError(1_000, 17));
    const { status, headers, json } = await submit({ ipynb: ipynb() });
    expect(json).toEqual({
      detail: [{ type: 'too_many_jobs', msg: 'The caller has 1000 unfinished jobs already' }],
    });
    expect(headers.get('retry-after')).toBe('17');
    expect(status).toBe(429);
    expect(parts.sources.size + parts.jobs.size).toBe(0);
  });

  test('as Redis is nearly full is a 503', async () => {
    parts.admission.admit = () => Promise.reject(new QueueFullError('Redis is nearly full'));
    const { status, headers } = await submit({ ipynb: ipynb() });
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    expect(parts.sources.size + parts.jobs.size).toBe(0);
  });
});

describe('what is promised with a 202', () => {
  test('has the time that it may take', async () => {
    expect((await submit({ ipynb: ipynb() })).headers.get('retry-after')).toBe('7');
  });

  test('is the notebook, kept before its job can be fetched', async () => {
    const kept: boolean[] = [];
    const { putSource } = parts.store;
    const { add } = parts.queue;
    parts.store.putSource = async (jobId, source) => {
      // As long as anything else that is under way may take.
      await new Promise((resolve) => setImmediate(resolve));
      await putSource(jobId, source);
    };
    parts.queue.add = async (jobId, data) => {
      kept.push(parts.sources.has(jobId));
      return add(jobId, data);
    };
    expect((await submit({ ipynb: ipynb() })).status).toBe(202);
    expect(kept).toEqual([true]);
  });

  test.each(['store', 'queue'] as const)('is not promised when the %s fails', async (part) => {
    if (part === 'store') parts.store.putSource = fail;
    else parts.queue.add = fail;
    const { status, headers, json } = await submit({ ipynb: ipynb() });
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
    expect(parts.jobs.size).toBe(0);
  });
});

const NOT_A_DURATION = 'Input should be a number of seconds or a duration such as "5m", "1h 30m" or "PT5M"';
const NOT_A_NOTEBOOK =
  'Input should be a string holding the JSON of a notebook, or the notebook itself as an object';
const TOO_LONG = 'Input should be at most 3600 seconds, the longest run this service allows';

describe('a request that is wrong', () => {
  afterEach(() => {
    if (parts.jobs.size + parts.sources.size > 0) throw new Error('it left something behind');
  });

  test.each(
    briefly<[string, string]>([
      ['', 'JSON decode error: syntax error (is it cut off?)'],
      [`{"ipynb": ${CANARY}}`, 'JSON decode error: syntax error'],
      ['{"ipynb": "x", }', 'JSON decode error: syntax error at position 15 (line 1 column 16)'],
      ['{"a":'.repeat(101) + '1' + '}'.repeat(101), 'JSON decode error: nested deeper than 100 levels'],
      ['[]'.repeat(2), 'JSON decode error: syntax error at position 2 (line 1 column 3)'],
    ]),
  )('as JSON is told where: %s', async (_, body, msg) => {
    const { status, json } = await submitText(body);
    expect(json).toEqual({ detail: [{ type: 'json_invalid', loc: ['body'], msg }] });
    expect(status).toBe(422);
  });

  test.each([[null], [[]], ['text'], [7]])(
    'because it is %j is told that it should be an object',
    async (body) => {
      const { status, json } = await submit(body);
      expect(json).toEqual({
        detail: [{ type: 'object_type', loc: ['body'], msg: 'Input should be an object' }],
      });
      expect(status).toBe(422);
    },
  );

  const wrong: [body: Record<string, unknown>, field: string, type: string, msg: string][] = [
    [{}, 'ipynb', 'missing', 'Field required'],
    [{ ipynb: 5 }, 'ipynb', 'type_error', NOT_A_NOTEBOOK],
    [{ ipynb: null }, 'ipynb', 'type_error', NOT_A_NOTEBOOK],
    [{ ipynb: [] }, 'ipynb', 'type_error', NOT_A_NOTEBOOK],
    [{ ipynb: `${CANARY}{` }, 'ipynb', 'value_error', 'The notebook is not valid JSON: syntax error'],
    [
      { ipynb: '['.repeat(101) + ']'.repeat(101) },
      'ipynb',
      'value_error',
      'The notebook is not valid JSON: nested deeper than 100 levels',
    ],
    [
      { ipynb: ipynb({ nbformat: 3 }) },
      'ipynb',
      'value_error',
      'The notebook has nbformat 3, but only nbformat 4 is taken; upgrade it with: jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK',
    ],
    [
      { ipynb: notebook({ nbformat: 3 }) },
      'ipynb',
      'value_error',
      'The notebook has nbformat 3, but only nbformat 4 is taken; upgrade it with: jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK',
    ],
    [
      { ipynb: ipynb({ nbformat: CANARY }) },
      'ipynb',
      'value_error',
      'The notebook has another "nbformat", but only nbformat 4 is taken; upgrade it with: jupyter nbconvert --to notebook --nbformat 4 NOTEBOOK',
    ],
    [
      { ipynb: ipynb({ nbformat_minor: 6 }) },
      'ipynb',
      'value_error',
      'The notebook has nbformat 4.6, but 4.0 to 4.5 are taken',
    ],
    [
      { ipynb: ipynb({ cells: CANARY }) },
      'ipynb',
      'value_error',
      'The notebook does not follow nbformat 4: cells: Invalid input: expected array, received string',
    ],
    [{ ipynb: ipynb(), timeout: `soon ${CANARY}` }, 'timeout', 'value_error', NOT_A_DURATION],
    [{ ipynb: ipynb(), timeout: '' }, 'timeout', 'value_error', NOT_A_DURATION],
    [{ ipynb: ipynb(), timeout: '-5m' }, 'timeout', 'value_error', NOT_A_DURATION],
    [{ ipynb: ipynb(), timeout: true }, 'timeout', 'type_error', NOT_A_DURATION],
    [{ ipynb: ipynb(), timeout: {} }, 'timeout', 'type_error', NOT_A_DURATION],
    [{ ipynb: ipynb(), timeout: 0 }, 'timeout', 'value_error', 'Input should be greater than 0'],
    [{ ipynb: ipynb(), timeout: '0s' }, 'timeout', 'value_error', 'Input should be greater than 0'],
    [{ ipynb: ipynb(), timeout: -1 }, 'timeout', 'value_error', 'Input should be greater than 0'],
    [{ ipynb: ipynb(), timeout: 3_601 }, 'timeout', 'value_error', TOO_LONG],
    [{ ipynb: ipynb(), timeout: '2h' }, 'timeout', 'value_error', TOO_LONG],
    [{ ipynb: ipynb(), timeout: '9'.repeat(60) }, 'timeout', 'value_error', TOO_LONG],
    [
      { ipynb: ipynb(), enable_retry: CANARY },
      'enable_retry',
      'bool_parsing',
      'Input should be a valid boolean',
    ],
    [{ ipynb: ipynb(), enable_retry: 2 }, 'enable_retry', 'bool_parsing', 'Input should be a valid boolean'],
    [
      { ipynb: ipynb(), enable_retry: null },
      'enable_retry',
      'bool_parsing',
      'Input should be a valid boolean',
    ],
    [{ ipynb: ipynb(), enable_retry: [] }, 'enable_retry', 'bool_parsing', 'Input should be a valid boolean'],
    [{ ipynb: ipynb(), kernel_name: 5 }, 'kernel_name', 'string_type', 'Input should be a valid string'],
    [{ ipynb: ipynb(), kernel_name: null }, 'kernel_name', 'string_type', 'Input should be a valid string'],
    [{ ipynb: ipynb(), kernel_name: '' }, 'kernel_name', 'too_small', 'Input should not be empty'],
    [
      { ipynb: ipynb(), kernel_name: CANARY.repeat(20) },
      'kernel_name',
      'too_big',
      'Input should have at most 200 characters',
    ],
  ];
  test.each(wrong.map(([body, field, type, msg]) => ({ value: brief(body[field]), body, field, type, msg })))(
    'with $field $value is told: $msg',
    async ({ body, field, type, msg }) => {
      const { status, json } = await submit(body);
      expect(json).toEqual({ detail: [{ type, loc: ['body', field], msg }] });
      expect(status).toBe(422);
    },
  );

  test('in several fields is told all of them at once', async () => {
    const { json } = await submit({ kernel_name: 5, timeout: 'soon', enable_retry: 'maybe' });
    expect(json.detail?.map(({ loc }) => loc?.[1])).toEqual([
      'ipynb',
      'kernel_name',
      'timeout',
      'enable_retry',
    ]);
  });

  test.each([
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ])('because its content type is %s is refused: a form of another site could send it', async (type) => {
    // As bytes: fetch names no type for those by itself.
    const headers = { ...identity('alice'), ...(type === undefined ? {} : { 'Content-Type': type }) };
    const body = new TextEncoder().encode(JSON.stringify({ ipynb: ipynb() }));
    const { status, json } = await send('POST', '/noteburst/v1/notebooks/', headers, body);
    expect(json).toEqual({
      detail: [
        { type: 'unsupported_media_type', msg: 'The request should have Content-Type: application/json' },
      ],
    });
    expect(status).toBe(415);
  });

  test.each([
    ['without an identity', {}, 'The request carries no identity: call through the ingress'],
    [
      "under another's name with a token of one's own",
      { 'X-Auth-Request-User': 'alice', 'X-Auth-Request-Token': TOKENS.bob },
      'The delegated token is not valid for this user',
    ],
    [
      'with a token made up',
      { 'X-Auth-Request-User': 'alice', 'X-Auth-Request-Token': 'gt-canary.token' },
      'The delegated token is not valid for this user',
    ],
  ])('%s is a 401, whatever its body', async (_, headers, msg) => {
    const { status, json } = await send('POST', '/noteburst/v1/notebooks/', headers, CANARY);
    expect(json).toEqual({ detail: [{ type: 'invalid_identity', msg }] });
    expect(status).toBe(401);
  });

  test.each(['GET', 'PUT', 'DELETE', 'PATCH'])(
    'in the method %s is a 405 that names the right one',
    async (method) => {
      const { status, headers, json } = await send(method, '/noteburst/v1/notebooks/', identity('alice'));
      expect(json).toEqual({ detail: [{ type: 'method_not_allowed', msg: 'Method Not Allowed' }] });
      expect(headers.get('allow')).toBe('POST');
      expect(status).toBe(405);
    },
  );

  test.each(['/', '/noteburst', '/noteburst/v2/notebooks/', '/noteburst/v1/notebooks//'])(
    'to %s is a 404',
    async (path) => {
      const { status, json } = await send('POST', path, identity('alice'), '{}');
      expect(json).toEqual({ detail: [{ type: 'not_found', msg: 'Not Found' }] });
      expect(status).toBe(404);
    },
  );
});

test('neither answers nor logs repeat what was sent: notebooks and tokens', async () => {
  const answers = [
    await submit({ ipynb: ipynb({ cells: [{ cell_type: 'code', source: CANARY }] }) }),
    await submit({ ipynb: CANARY }),
    await submit({ ipynb: ipynb({ nbformat: CANARY, metadata: CANARY }) }),
    await submit({ ipynb: ipynb({ cells: [{ cell_type: CANARY, source: CANARY }, CANARY] }) }),
    await submit({
      ipynb: ipynb(),
      kernel_name: CANARY.repeat(20),
      timeout: CANARY,
      enable_retry: CANARY,
      [CANARY]: 1,
    }),
    await submitText(`{"${CANARY}": ${CANARY}`),
    await submitText(CANARY, { 'X-Auth-Request-Token': `gt-${CANARY}.${CANARY}` }),
    await submitText(CANARY, { 'Content-Type': CANARY }),
    await submitText(CANARY, { 'Content-Encoding': CANARY }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 422, 422, 422, 422, 422, 401, 415, 415]);
  for (const { text } of answers) {
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(TOKENS.alice);
  }
  const log = server.lines.join('');
  expect(log).toContain('job accepted');
  expect(log).not.toContain(CANARY);
  expect(log).not.toContain(TOKENS.alice);
});
