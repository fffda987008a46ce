import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpError } from '../../../lib/http/http-error.ts';
import { serve, type TestServer } from '../../support/function-server.ts';

const PROBLEM = 'application/problem+json';
const DETAIL = [
  { type: 'missing', loc: ['body', 'ipynb'], msg: 'Field required' },
  { type: 'string_type', loc: ['body', 'kernel_name'], msg: 'Input should be a valid string' },
];
let server: TestServer;

beforeEach(async () => {
  server = await serve(async ({ path }) => {
    if (path === '/fault') throw new Error('canary-internal');
    throw new HttpError(422, DETAIL, { 'Retry-After': '7' });
  });
});
afterEach(() => server[Symbol.asyncDispose]());

async function ask(path: string, accept: string, method = 'GET') {
  const response = await fetch(server.url + path, { method, headers: { Accept: accept } });
  return { headers: response.headers, status: response.status, json: await response.json() };
}

describe('an error', () => {
  test('is a problem of RFC 9457 where Accept names it, with all that FastAPI would say', async () => {
    const { status, headers, json } = await ask('/a/b?token=canary', `application/json, ${PROBLEM}`);
    expect(json).toEqual({
      type: 'about:blank',
      title: 'Unprocessable Entity',
      status: 422,
      detail: 'Field required; Input should be a valid string',
      instance: '/a/b',
      errors: DETAIL,
    });
    expect(headers.get('content-type')).toBe(PROBLEM);
    expect(headers.get('retry-after')).toBe('7');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(status).toBe(422);
  });

  test.each(['*/*', 'application/json', 'application/*', 'text/html', `${PROBLEM};q=0`])(
    'is in the form of FastAPI for %s',
    async (accept) => {
      const { headers, json } = await ask('/', accept);
      expect(json).toEqual({ detail: DETAIL });
      expect(headers.get('content-type')).toBe('application/json');
    },
  );

  test.each([
    ['/%ZZ', 404, 'Not Found'],
    ['/fault', 500, 'Internal server error'],
  ])('is a problem wherever it comes from: %s', async (path, status, detail) => {
    const answer = await ask(path, PROBLEM);
    expect(answer.json).toMatchObject({ status, detail, instance: path });
    expect(JSON.stringify(answer.json)).not.toContain('canary');
    expect(answer.status).toBe(status);
  });
});
