import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { OpenApiDocument } from '../../../lib/contract/openapi-document.ts';
import type * as Routes from '../../../lib/http/routes.ts';
import { MemoryParts, serve, type TestServer } from '../../support/function-server.ts';

const tables = vi.hoisted((): Pick<Routes.Route, 'method' | 'path'>[] => []);

// Both functions hand their tables to this one, and nothing else is routed.
vi.mock('../../../lib/http/routes.ts', async (original) => {
  const actual = await original<typeof Routes>();
  return {
    ...actual,
    routed: (routes: readonly Routes.Route[]) => {
      tables.push(...routes);
      return actual.routed(routes);
    },
  };
});

let server: TestServer;
beforeAll(async () => {
  const parts = new MemoryParts();
  parts.submit();
  server = await serve(parts.status());
});
afterAll(() => server[Symbol.asyncDispose]());

const document = async () =>
  (await (await fetch(`${server.url}/noteburst/openapi.json`)).json()) as OpenApiDocument;

test('the document has every route of both functions, and no other', async () => {
  const { paths } = await document();
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(documented.toSorted()).toEqual(tables.map(({ method, path }) => `${method} ${path}`).toSorted());
});

test('the document is JSON and says which version serves it', async () => {
  const response = await fetch(`${server.url}/noteburst/openapi.json`);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toMatchObject({
    openapi: expect.stringMatching(/^3\.1\./),
    info: { title: 'noteburst', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
  });
});

test('the page shows every operation, field and example, and loads nothing from elsewhere', async () => {
  const response = await fetch(`${server.url}/noteburst/docs`);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const page = await response.text();
  const { paths, components } = await document();
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path)))
    expect(page).toContain(`<h2 id="${operation.operationId}">`);
  for (const field of Object.keys(components.schemas['NotebookResponse']?.properties ?? {}))
    expect(page).toContain(`<code>${field}</code>`);
  expect(page).toContain('Example: A notebook as text');
  expect(page).not.toMatch(/<script|\son\w+=|(?:src|href)="(?!#|\/noteburst\/|data:,)|@import|url\(/i);
});

test('the page may only be styled as it is', async () => {
  const response = await fetch(`${server.url}/noteburst/docs`);
  const [, style = ''] = /<style>(.*?)<\/style>/s.exec(await response.text()) ?? [];
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(style).not.toBe('');
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}';`);
});

test('every link of the page leads to a place of the page', async () => {
  const page = await (await fetch(`${server.url}/noteburst/docs`)).text();
  const ids = new Set([...page.matchAll(/id="([^"]+)"/g)].map(([, id]) => id));
  const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(targets.length).toBeGreaterThan(10);
  expect(targets.filter((id) => !ids.has(id))).toEqual([]);
});
