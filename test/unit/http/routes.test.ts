import { expect, test } from 'vitest';
import type { ApiRequest } from '../../../lib/http/handler.ts';
import { routed } from '../../../lib/http/routes.ts';
import { silentLog } from '../../support/log.ts';

const handler = routed([
  {
    method: 'GET',
    path: '/n.b/v1/jobs/{job_id}',
    handle: async (_, params) => ({ status: 200, json: params }),
  },
  { method: 'DELETE', path: '/n.b/v1/jobs/{job_id}', handle: async () => ({ status: 202 }) },
  { method: 'POST', path: '/n.b/v1/jobs/', handle: async () => ({ status: 201 }) },
]);

const ask = (method: string, path: string) =>
  handler({
    method,
    path,
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.alloc(0),
    signal: AbortSignal.timeout(5_000),
    log: silentLog(),
  } satisfies ApiRequest);

test('a path is found with its parameters, as they were sent', async () => {
  expect(await ask('GET', '/n.b/v1/jobs/a%20b')).toEqual({ status: 200, json: { job_id: 'a%20b' } });
  expect(await ask('HEAD', '/n.b/v1/jobs/a')).toMatchObject({ status: 200 });
  expect(await ask('DELETE', '/n.b/v1/jobs/a')).toEqual({ status: 202 });
});

test.each(['/n.b/v1/jobs/', '/n.b/v1/jobs'])('the slash at the end of %s is optional', async (path) => {
  expect(await ask('POST', path)).toEqual({ status: 201 });
});

test.each(['/', '/n.b/v1/jobs/a/', '/n.b/v1/jobs/a/b', '/nxb/v1/jobs', '/N.b/v1/jobs'])(
  '%j is no path',
  async (path) => {
    await expect(ask('GET', path)).rejects.toMatchObject({ status: 404 });
  },
);

test('another method of a known path is told which there are', async () => {
  const refused = { status: 405, headers: { Allow: 'GET, DELETE' } };
  await expect(ask('POST', '/n.b/v1/jobs/a')).rejects.toMatchObject(refused);
});
