import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { gzipSync } from 'node:zlib';
import { requestBytes, sendRaw } from './raw.ts';
import { FuzzedService } from './service.ts';

/** Far more than a function needs for a few kilobytes on two busy cores, and far less than any of its timeouts. */
const ANSWER_MS = 10_000;
const NOTEBOOKS = '/noteburst/v1/notebooks/';

let service: FuzzedService;
let identity: Record<string, string>;
let jobId: string;
beforeAll(async () => {
  service = await FuzzedService.start(inject('redisUrl'));
  identity = service.identityOf('alice');
  const answer = await post(JSON.stringify({ ipynb: NOTEBOOK }));
  jobId = ((await answer.json()) as { job_id: string }).job_id;
});
afterAll(() => service[Symbol.asyncDispose]());

const NOTEBOOK = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };

/** Past the ingress, as what is inside the cluster can. */
const ask = (name: 'submit' | 'status', target: string, init: RequestInit) =>
  fetch(service.stack.url(name) + target, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  ask('submit', NOTEBOOKS, {
    method: 'POST',
    headers: { ...identity, 'Content-Type': 'application/json', ...headers },
    body,
  });

const counts = new Map<number | string, number>();
const count = (status: number | string) => counts.set(status, (counts.get(status) ?? 0) + 1);
afterAll(() => {
  const all = [...counts].toSorted(([a], [b]) => String(a).localeCompare(String(b)));
  console.log(`fast-check: ${all.map(([status, n]) => `${n} × ${status}`).join(', ')}`);
});

/** Each case is answered by who was asked, and is no fault of the service. @throws {Error} with the answer when not */
function assertNoFault(status: number | undefined, text: string): void {
  if ((status ?? 0) >= 500) throw new Error(`answered with ${status}: ${text}`);
  if (text.includes('<title>Error</title>')) throw new Error(`answered by the framework: ${text}`);
}

async function assertAnswered(response: Response): Promise<void> {
  count(response.status);
  assertNoFault(response.status, await response.text());
}

const checked = <T extends unknown[]>(property: fc.IAsyncProperty<T>): Promise<void> =>
  fc.assert(property, { seed: inject('fuzzSeed'), numRuns: inject('fuzzCases') * 10 });

const value = fc.jsonValue({ maxDepth: 4 });
/** Mostly right, so that what is wrong is met in one field behind many that are right. */
const mostly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: value });
const cell = fc.oneof(
  fc.record({ cell_type: fc.constantFrom('code', 'markdown', 'raw'), source: fc.string({ unit: 'binary' }) }),
  fc.record({
    cell_type: fc.constant('code'),
    source: fc.array(fc.string()),
    outputs: fc.array(fc.object()),
  }),
  fc.record({ cell_type: mostly(fc.constant('code')), source: mostly(fc.string()), id: mostly(fc.string()) }),
);
const notebook = fc.record({
  nbformat: mostly(fc.constant(4)),
  nbformat_minor: mostly(fc.nat(5)),
  metadata: mostly(fc.object()),
  cells: mostly(fc.array(cell, { maxLength: 8 })),
});
const binary = (maxLength: number) => fc.string({ unit: 'binary', minLength: 1, maxLength });
const submission = fc.record(
  {
    ipynb: mostly(
      fc.oneof(
        fc.constant(NOTEBOOK),
        notebook,
        notebook.map((parts) => JSON.stringify(parts)),
      ),
    ),
    kernel_name: mostly(binary(210)),
    timeout: mostly(fc.oneof(fc.double({ min: 0.001, max: 3_600, noNaN: true }), fc.constant('1h 30m'))),
    cell_timeout: mostly(fc.constantFrom('1s', 'PT1M', 0.1)),
    parameters: mostly(
      fc.oneof(fc.dictionary(fc.constantFrom('a', 'é', '_1'), value), fc.dictionary(fc.string(), value)),
    ),
    enable_retry: mostly(fc.oneof(fc.boolean(), fc.constantFrom('yes', 'f', 0))),
    priority: mostly(fc.constantFrom('ci', 'batch', 'interactive')),
    tags: mostly(fc.array(binary(65), { maxLength: 11 })),
    coalesce: mostly(fc.boolean()),
  },
  { requiredKeys: ['ipynb'] },
);

describe('no body brings a 5xx', () => {
  test('submissions with anything in any field', () =>
    expect(
      checked(
        fc.asyncProperty(submission, async (body) => {
          const answer = await post(JSON.stringify(body));
          const path = answer.headers.get('location')?.replace(/^.*(?=\/noteburst\/v1)/, '');
          await assertAnswered(answer);
          if (path === undefined) return;
          // What was accepted can be read, looked at and cancelled.
          for (const [method, below] of [
            ['GET', '?source=true'],
            ['GET', '/view'],
            ['DELETE', ''],
          ] as const) {
            const read = await ask('status', path + below, { method, headers: identity });
            if (read.status !== 200)
              throw new Error(`${method} answered ${read.status}: ${await read.text()}`);
          }
        }),
      ),
    ).resolves.toBeUndefined());

  test('any JSON', () =>
    expect(
      checked(fc.asyncProperty(fc.json(), async (body) => assertAnswered(await post(body)))),
    ).resolves.toBeUndefined());

  test('any bytes, with any of the encodings', () => {
    const body = fc.uint8Array({ maxLength: 4_096 });
    const encoding = fc.constantFrom('identity', 'gzip', 'deflate', 'br', 'x-gzip', 'gzip, gzip', '');
    const isReally = fc.boolean();
    return expect(
      checked(
        fc.asyncProperty(body, encoding, isReally, async (bytes, name, zipped) => {
          const sent = new Uint8Array(zipped ? gzipSync(bytes) : bytes);
          await assertAnswered(await post(sent, { 'Content-Encoding': name }));
        }),
      ),
    ).resolves.toBeUndefined();
  });

  test('a submission that was cut, doubled or changed somewhere', () => {
    const whole = Buffer.from(JSON.stringify({ ipynb: JSON.stringify(NOTEBOOK), timeout: '5m' }));
    const place = fc.nat(whole.length - 1);
    return expect(
      checked(
        fc.asyncProperty(place, fc.nat(255), fc.boolean(), async (at, byte, cut) => {
          const body = Uint8Array.from(cut ? whole.subarray(0, at) : whole);
          if (!cut) body[at] = byte;
          await assertAnswered(await post(body));
        }),
      ),
    ).resolves.toBeUndefined();
  });
});

const headerValue = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) })
  .filter((text) => text !== '' && !text.includes('\x7f'));
const headers = fc.dictionary(
  fc.constantFrom(
    'Prefer',
    'Idempotency-Key',
    'If-None-Match',
    'Last-Event-ID',
    'Accept',
    'Content-Type',
    'Range',
    'X-Auth-Request-User',
    'X-Auth-Request-Token',
    'X-HTTP-Method-Override',
    'Origin',
    'Cookie',
  ),
  // Whoever asks to wait waits, as nobody runs these jobs.
  headerValue.filter((text) => !/wait/i.test(text)),
);

describe('no header, path or query brings a 5xx', () => {
  const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
  const segment = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }).map(encodeURIComponent),
    fc.constantFrom('..', '.', '%2e%2e', '%00', '%ff', '%', '%2f', '__proto__', 'constructor', '{job_id}'),
    fc.constant('job'),
  );
  const target = fc.oneof(
    fc.constantFrom(
      '/',
      '/noteburst',
      '/noteburst/',
      '/noteburst/docs',
      '/noteburst/openapi.json',
      NOTEBOOKS,
    ),
    fc
      .tuple(segment, fc.constantFrom('', '/events', '/ipynb', '/view', '/', '//', '/x'))
      .map(([id, below]) => NOTEBOOKS + id + below),
  );
  const query = fc.oneof(
    fc.constant(''),
    fc
      .dictionary(fc.constantFrom('source', 'result', 'limit', 'cursor', '__proto__'), fc.string())
      .map((fields) => `?${new URLSearchParams(fields)}`),
  );
  const bytes = fc.uint8Array({ maxLength: 200 }).map((body) => Buffer.from(body));

  test.each(['submit', 'status'] as const)('for %s', (name) =>
    expect(
      checked(
        fc.asyncProperty(method, target, query, headers, bytes, async (method, path, query, sent, body) => {
          const all = {
            Host: 'x',
            ...identity,
            ...sent,
            'Content-Length': String(body.length),
            Connection: 'close',
          };
          const where = path.replace('job', jobId) + query;
          const { status, text, hung } = await sendRaw(
            service.stack.url(name),
            requestBytes(method, where, Object.entries(all), body),
          );
          count(status ?? 'closed');
          if (hung) throw new Error(`${method} ${where} was not answered`);
          assertNoFault(status, text);
        }),
      ),
    ).resolves.toBeUndefined(),
  );
});

describe('no bytes bring a crash or a hang', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('POST /noteburst/v1/notebooks/ HTTP/1.1', 'GET / HTTP/1.0', 'GET / HTTP/9.9', 'Host: x'),
    fc.constantFrom('Content-Length: 5', 'Content-Length: -1', 'Content-Length: 99999999999999999999'),
    fc.constantFrom('Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Expect: 100-continue'),
    fc.constantFrom('Upgrade: websocket', 'Connection: Upgrade', 'fffffffffffffffff', '0', '5', 'hello'),
  );
  const lines = fc.array(line, { maxLength: 12 }).map((all) => `${all.join('\r\n')}\r\n\r\n`);

  test.each(['submit', 'status'] as const)('for %s', async (name) => {
    const url = service.stack.url(name);
    await expect(
      checked(
        fc.asyncProperty(lines, async (text) => {
          const { status, hung } = await sendRaw(url, Buffer.from(text, 'latin1'));
          count(status ?? 'closed');
          if (hung) throw new Error('was not answered');
          // Node itself refuses other versions of HTTP.
          assertNoFault(status === 505 ? undefined : status, '');
        }),
      ),
    ).resolves.toBeUndefined();
    expect((await ask(name, '/health/ready', {})).status).toBe(200);
  });
});
