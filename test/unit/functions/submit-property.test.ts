import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ApiHandler } from '../../../lib/http/handler.ts';
import { HttpError } from '../../../lib/http/http-error.ts';
import { identity, MemoryParts } from '../../support/function-server.ts';
import { silentLog } from '../../support/log.ts';
import { ipynb, notebook } from '../../support/notebooks.ts';

// Thousands of submissions, on a machine that may have other things to do.
vi.setConfig({ testTimeout: 60_000 });

let parts: MemoryParts;
let handler: ApiHandler;
let gone: AbortController;
beforeEach(() => {
  parts = new MemoryParts();
  handler = parts.submit();
  gone = new AbortController();
});
afterEach(() => gone.abort());

/** @returns the status; what is thrown and no HttpError would be a 500, and fails the test */
async function statusOf(body: Buffer | string, headers: Record<string, string> = {}): Promise<number> {
  try {
    const { status } = await handler({
      method: 'POST',
      path: '/noteburst/v1/notebooks/',
      query: new URLSearchParams(),
      headers: {
        'content-type': 'application/json',
        'x-auth-request-user': 'alice',
        'x-auth-request-token': identity('alice')['X-Auth-Request-Token'],
        ...headers,
      },
      body: Buffer.from(body),
      signal: gone.signal,
      log: silentLog(),
    });
    return status;
  } catch (error) {
    if (error instanceof HttpError) return error.status;
    throw error;
  }
}

const TAKEN_OR_REFUSED = [202, 422];
const json = fc.jsonValue();
const FIELDS = [
  'kernel_name',
  'timeout',
  'cell_timeout',
  'parameters',
  'enable_retry',
  'priority',
  'tags',
  'coalesce',
  '__proto__',
  'constructor',
] as const;

/** Values that are nearly right. */
const plausible = fc.oneof(
  json,
  fc.constantFrom('5m', 'PT5M', '-1', '1e999', 'interactive', 'yes', '', '\u0000', '\ud800'),
  fc.double(),
  fc.array(fc.string({ maxLength: 70 }), { maxLength: 12 }),
  fc.dictionary(fc.constantFrom('x', '__proto__', 'toString', 'α', '1'), json),
);

test('whatever bytes are sent as a body, the answer says what is wrong with them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' })),
      async (bytes) => {
        expect(await statusOf(Buffer.from(bytes as string))).toBe(422);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('whatever JSON is sent as a body, it is taken or refused', async () => {
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      expect(TAKEN_OR_REFUSED).toContain(await statusOf(JSON.stringify(value)));
    }),
    { numRuns: 1_000 },
  );
});

test('whatever is in the fields of a submission, it is taken or refused', async () => {
  const fields = fc.record(Object.fromEntries(FIELDS.map((name) => [name, plausible])), { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(fields, async (body) => {
      const pairs = Object.entries(body).map(
        ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value) ?? null}`,
      );
      const text = `{${[`"ipynb":${JSON.stringify(ipynb())}`, ...pairs].join()}}`;
      expect(TAKEN_OR_REFUSED).toContain(await statusOf(text));
    }),
    { numRuns: 1_000 },
  );
});

test('whatever notebook is sent, it is taken or refused, as text as it is as an object', async () => {
  const cell = fc.record(
    {
      cell_type: fc.oneof(fc.constantFrom('code', 'markdown', 'raw'), json),
      source: fc.oneof(fc.string(), fc.array(fc.string()), json),
      metadata: fc.oneof(fc.constant({}), json),
      outputs: fc.oneof(fc.constant([]), json),
      execution_count: fc.oneof(fc.constant(null), json),
      id: fc.oneof(fc.string(), json),
    },
    { requiredKeys: ['cell_type'] },
  );
  const cells = fc.oneof(fc.array(cell, { maxLength: 4 }), json);
  const notebooks = fc
    .record({ cells, metadata: json, nbformat: json, nbformat_minor: json }, { requiredKeys: [] })
    .map((changes) => notebook(changes as object));
  await fc.assert(
    fc.asyncProperty(notebooks, async (value) => {
      const asObject = await statusOf(JSON.stringify({ ipynb: value }));
      expect(TAKEN_OR_REFUSED).toContain(asObject);
      expect(await statusOf(JSON.stringify({ ipynb: JSON.stringify(value) }))).toBe(asObject);
    }),
    { numRuns: 1_000 },
  );
});

test('whatever is in the headers of a submission, it is taken or refused', async () => {
  const header = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
  const headers = fc.record(
    { 'content-type': header, 'idempotency-key': header, prefer: header },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(headers, async (sent) => {
      const status = await statusOf(JSON.stringify({ ipynb: ipynb() }), sent);
      expect([202, 415, 422]).toContain(status);
    }),
    { numRuns: 1_000 },
  );
});
