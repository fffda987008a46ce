import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { identity, TOKENS } from '../../support/function-server.ts';
import { brief, briefly } from '../../support/brief.ts';
import { ipynb, notebook } from '../../support/notebooks.ts';
import { SubmitClient } from '../../support/submit-client.ts';

const CANARY = 'canary-in-the-notebook';
const NOT_A_DURATION = 'Input should be a number of seconds or a duration such as "5m", "1h 30m" or "PT5M"';
const NOT_A_NOTEBOOK =
  'Input should be a string holding the JSON of a notebook, or the notebook itself as an object';
const TOO_LONG = 'Input should be at most 3600 seconds, the longest run this service allows';

let client: SubmitClient;
beforeEach(async () => {
  client = await SubmitClient.start();
});
afterEach(() => client[Symbol.asyncDispose]());

describe('a request that is wrong', () => {
  afterEach(() => {
    if (client.parts.jobs.size + client.parts.sources.size > 0) throw new Error('it left something behind');
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
    const { status, json } = await client.submitText(body);
    expect(json).toEqual({ detail: [{ type: 'json_invalid', loc: ['body'], msg }] });
    expect(status).toBe(422);
  });

  test.each([[null], [[]], ['text'], [7]])(
    'because it is %j is told that it should be an object',
    async (body) => {
      const { status, json } = await client.submit(body);
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
      const { status, json } = await client.submit(body);
      expect(json).toEqual({ detail: [{ type, loc: ['body', field], msg }] });
      expect(status).toBe(422);
    },
  );

  test('in several fields is told all of them at once', async () => {
    const { json } = await client.submit({ kernel_name: 5, timeout: 'soon', enable_retry: 'maybe' });
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
    const { status, json } = await client.send('POST', '/noteburst/v1/notebooks/', headers, body);
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
    const { status, json } = await client.send('POST', '/noteburst/v1/notebooks/', headers, CANARY);
    expect(json).toEqual({ detail: [{ type: 'invalid_identity', msg }] });
    expect(status).toBe(401);
  });

  test.each(['PUT', 'DELETE', 'PATCH'])(
    'in the method %s is a 405 that names the right one',
    async (method) => {
      const { status, headers, json } = await client.send(
        method,
        '/noteburst/v1/notebooks/',
        identity('alice'),
      );
      expect(json).toEqual({ detail: [{ type: 'method_not_allowed', msg: 'Method Not Allowed' }] });
      expect(headers.get('allow')).toBe('POST, GET');
      expect(status).toBe(405);
    },
  );

  test.each(['/', '/noteburst', '/noteburst/v2/notebooks/', '/noteburst/v1/notebooks//'])(
    'to %s is a 404',
    async (path) => {
      const { status, json } = await client.send('POST', path, identity('alice'), '{}');
      expect(json).toEqual({ detail: [{ type: 'not_found', msg: 'Not Found' }] });
      expect(status).toBe(404);
    },
  );
});

test('neither answers nor logs repeat what was sent: notebooks and tokens', async () => {
  const answers = [
    await client.submit({ ipynb: ipynb({ cells: [{ cell_type: 'code', source: CANARY }] }) }),
    await client.submit({ ipynb: CANARY }),
    await client.submit({ ipynb: ipynb({ nbformat: CANARY, metadata: CANARY }) }),
    await client.submit({ ipynb: ipynb({ cells: [{ cell_type: CANARY, source: CANARY }, CANARY] }) }),
    await client.submit({
      ipynb: ipynb(),
      kernel_name: CANARY.repeat(20),
      timeout: CANARY,
      enable_retry: CANARY,
      [CANARY]: 1,
    }),
    await client.submitText(`{"${CANARY}": ${CANARY}`),
    await client.submitText(CANARY, { 'X-Auth-Request-Token': `gt-${CANARY}.${CANARY}` }),
    await client.submitText(CANARY, { 'Content-Type': CANARY }),
    await client.submitText(CANARY, { 'Content-Encoding': CANARY }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 422, 422, 422, 422, 422, 401, 415, 415]);
  for (const { text } of answers) {
    expect(text).not.toContain(CANARY);
    expect(text).not.toContain(TOKENS.alice);
  }
  const log = client.server.lines.join('');
  expect(log).toContain('job accepted');
  expect(log).not.toContain(CANARY);
  expect(log).not.toContain(TOKENS.alice);
});
