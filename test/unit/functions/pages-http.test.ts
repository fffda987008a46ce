import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { identity, MemoryParts, QUEUE_NAME, serve, type TestServer } from '../../support/function-server.ts';
import { ipynb } from '../../support/notebooks.ts';

const ID = `${QUEUE_NAME}-${'a'.repeat(32)}`;
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

let parts: MemoryParts;
let server: TestServer;

beforeEach(async () => {
  parts = new MemoryParts();
  const data = {
    version: 1,
    owner: 'alice',
    kernel_name: 'lsst',
    timeout_seconds: 300,
    enable_retry: true,
  } as const;
  parts.jobs.set(ID, {
    id: ID,
    data,
    state: 'ended',
    enqueuedAtMs: 1,
    finishedAtMs: 2,
    outcome: { result_id: 'r' },
  });
  parts.results.set(`${ID}/r`, ipynb());
  server = await serve(parts.status());
});
afterEach(() => server[Symbol.asyncDispose]());

const get = (path: string, accept: string, headers: Record<string, string> = identity('alice')) =>
  fetch(`${server.url}${path}`, { headers: { ...headers, Accept: accept } });

const policyOf = (response: Response): string[] =>
  (response.headers.get('content-security-policy') ?? '').split('; ');

describe.each(['/noteburst/', '/noteburst', `/noteburst/v1/notebooks/${ID}`])('%s', (path) => {
  test.each([BROWSER, 'text/html'])('is a page for %s', async (accept) => {
    const response = await get(path, accept);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('vary')).toBe('Accept');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(policyOf(response)).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "connect-src 'self'",
        expect.stringMatching(/^script-src 'sha256-[^ ]+'$/),
        expect.stringMatching(/^style-src 'sha256-[^ ]+'$/),
      ]),
    );
  });

  test.each(['*/*', 'application/json', 'application/json, text/html;q=0.9', 'image/png'])(
    'is JSON for %s',
    async (accept) => {
      expect((await get(path, accept)).headers.get('content-type')).toBe('application/json');
    },
  );
});

describe('the view of a notebook', () => {
  const path = `/noteburst/v1/notebooks/${ID}/view`;

  test('has no origin, loads nothing, and runs but one script', async () => {
    const response = await get(path, BROWSER);
    expect(await response.text()).toContain('id="cell-0"');
    expect(policyOf(response)).toEqual([
      "default-src 'none'",
      expect.stringMatching(/^style-src 'sha256-[^ ]+'$/),
      expect.stringMatching(/^script-src 'sha256-[^ ]+'$/),
      'img-src data:',
      "form-action 'none'",
      "base-uri 'none'",
      "frame-ancestors 'self'",
      'sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox',
    ]);
    expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
  });

  test('of an ended job is not sent twice', async () => {
    const etag = (await get(path, BROWSER)).headers.get('etag') ?? '';
    const again = await get(path, BROWSER, { ...identity('alice'), 'If-None-Match': etag });
    expect(again.status).toBe(304);
  });

  test('says why a notebook is not shown', async () => {
    parts.results.set(`${ID}/r`, '{"nbformat": 3}');
    expect(await (await get(path, BROWSER)).text()).toContain('only nbformat 4 is taken');
    parts.results.set(`${ID}/r`, ' '.repeat(32 * 1024 * 1024 + 1));
    expect(await (await get(path, BROWSER)).text()).toContain('too large to be shown');
    parts.results.clear();
    expect(await (await get(path, BROWSER)).text()).toContain('not kept any more');
  });
});

describe('what fails', () => {
  const unknown = `/noteburst/v1/notebooks/${QUEUE_NAME}-${'b'.repeat(32)}`;

  test('is a page for browsers, with the same status and headers', async () => {
    const response = await get(unknown, BROWSER);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('<p>Job not found</p>');
    const stranger = await get(unknown, BROWSER, {});
    expect(stranger.status).toBe(401);
    expect(stranger.headers.get('www-authenticate')).toBe('Bearer');
    parts.queue.find = () => Promise.reject(new Error('away'));
    const away = await get(unknown, BROWSER);
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
    expect(away.headers.get('content-type')).toBe('text/html; charset=utf-8');
  });

  test('is a page too when it is a fault of ours, which says nothing of it, but the log does', async () => {
    parts.queue.find = () => Promise.resolve({ id: ID } as never);
    const response = await get(`/noteburst/v1/notebooks/${ID}/view`, BROWSER);
    expect([response.status, await response.text()]).toEqual([
      500,
      expect.stringContaining('<h1>Internal Server Error'),
    ]);
    expect(server.lines.join('\n')).toContain('request failed');
  });

  test('stays JSON for programs', async () => {
    expect(await (await get(unknown, '*/*')).json()).toHaveProperty('detail');
  });

  test('repeats nothing of what was asked for', async () => {
    const page = await (await get('/noteburst/%3Cscript%3E?x=<script>', BROWSER)).text();
    expect(page.match(/<script/g)).toBeNull();
  });
});
