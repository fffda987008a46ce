/** "Bodies" of the security design: limits come before parsing. */
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ApiHandler } from '../../../lib/http/handler.ts';
import { MAX_BODY_BYTES } from '../../../lib/http/request-body.ts';
import { identity, serve, type TestServer } from '../../support/function-server.ts';
import { ipynb, notebook } from '../../support/notebooks.ts';
import { sendRaw } from '../../support/raw-http.ts';
import { SubmitClient } from '../../support/submit-client.ts';

const MB = 1024 * 1024;
const TOO_LARGE = {
  detail: [{ type: 'body_too_large', msg: 'The request body is over the limit of 33554432 bytes' }],
};
type Body = NonNullable<RequestInit['body']>;
const gzipped = gzipSync(Buffer.alloc(16 * MB));

describe('bytes', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await serve(async ({ body }) => ({ status: 200, json: { bytes: body.length } }));
  });
  afterEach(() => server[Symbol.asyncDispose]());

  async function post(body: Body, headers: Record<string, string> = {}) {
    const init = { method: 'POST', body, headers, duplex: 'half' };
    const response = await fetch(server.url, init);
    return { status: response.status, headers: response.headers, json: await response.json() };
  }

  /** A body that is made while it is sent, so that its length is not known ahead. */
  function stream(megabytes: number): ReadableStream {
    let left = megabytes;
    return new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(MB)) : controller.close()),
    });
  }

  test('413 at 32 MB: what is as large is taken, one byte more is not', async () => {
    expect(await post(Buffer.alloc(MAX_BODY_BYTES))).toMatchObject({
      status: 200,
      json: { bytes: MAX_BODY_BYTES },
    });
    expect(await post(Buffer.alloc(MAX_BODY_BYTES + 1))).toMatchObject({ status: 413, json: TOO_LARGE });
  });

  test('413 at 32 MB: also while it comes, and the connection is as good as before', async () => {
    expect(await post(stream(100))).toMatchObject({ status: 413, json: TOO_LARGE });
    expect(await post('{"a": 1}')).toMatchObject({ status: 200 });
  });

  test('a gzip of half a gigabyte is refused within bounded memory', async () => {
    // A gzip file may be made of several, one after the other.
    const bomb = Buffer.concat(Array.from({ length: 32 }, () => gzipped));
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5);
    const answer = await post(bomb, { 'Content-Encoding': 'gzip' });
    clearInterval(watch);
    expect(answer).toMatchObject({ status: 413, json: TOO_LARGE });
    expect((peak - before) / MB).toBeLessThan(150);
  });

  test.each(['br', 'zstd', 'gzip, gzip', 'constructor', '__proto__'])(
    '415 on Content-Encoding other than what is handled with a limit: %s',
    async (encoding) => {
      const answer = await post('x', { 'Content-Encoding': encoding });
      expect(answer).toMatchObject({
        status: 415,
        json: {
          detail: [
            { type: 'unsupported_encoding', msg: 'Content-Encoding should be gzip, deflate or identity' },
          ],
        },
      });
      expect(answer.headers.get('accept-encoding')).toBe('gzip, deflate');
    },
  );

  test.each([
    ['HTTP/1.1', '411'],
    ['HTTP/1.0', '411'],
  ])('411 for a POST that does not say where its body ends, in %s', async (version, status) => {
    const answer = await sendRaw(server, `POST / ${version}`, 'Host: x', 'Connection: close', '', '');
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('{"type":"length_required","msg":"The request should have a Content-Length"}');
  });

  test('no 411 where there is nothing to say: an empty body, chunks, other methods', async () => {
    expect((await post('')).status).toBe(200);
    expect((await post(stream(1))).status).toBe(200);
    expect(await sendRaw(server, 'DELETE / HTTP/1.1', 'Host: x', 'Connection: close', '', '')).toContain(
      '200 OK',
    );
  });
});

describe('JSON', () => {
  let client: SubmitClient;
  beforeEach(async () => {
    client = await SubmitClient.start();
  });
  afterEach(() => client[Symbol.asyncDispose]());

  test.each([
    ['body', '['.repeat(20 * MB)],
    ['notebook in it', JSON.stringify({ ipynb: '{"a":'.repeat(4 * MB) })],
  ])('depth is checked without recursion (100): of a %s nested millions of levels', async (_, body) => {
    const { status, text } = await client.submitText(body);
    expect(text).toContain('nested deeper than 100 levels');
    expect(status).toBe(422);
  });

  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'no assignment from parsed keys: %s changes no object, wherever it stands',
    async (key) => {
      const before = Object.getOwnPropertyNames(Object.prototype);
      const evil = `{"${key}": {"polluted": true, "prototype": {"polluted": true}}}`;
      const whole = JSON.stringify(notebook()).replace('"metadata":{}', `"metadata":${evil}`);
      const bodies = [
        evil,
        `{"ipynb": ${JSON.stringify(ipynb())}, ${evil.slice(1)}`,
        `{"ipynb": ${whole}}`,
        `{"ipynb": ${JSON.stringify(whole)}}`,
        `{"ipynb": ${JSON.stringify(ipynb())}, "parameters": ${evil}}`,
      ];
      for (const body of bodies) expect((await client.submitText(body)).status).toBeLessThan(500);
      const query = `/noteburst/v1/notebooks/?${key}=1&${key}[polluted]=1`;
      expect((await client.send('PUT', query, identity('alice'))).status).toBe(405);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    },
  );

  const items = `[${'0,'.repeat(5 * MB)}0]`;
  const inNotebook = (cells: string) => `{"ipynb": {"nbformat": 4, "nbformat_minor": 5, "cells": ${cells}}}`;
  test.each([
    ['cells', inNotebook(items), 'The notebook has more than 10000 cells'],
    [
      'outputs',
      inNotebook(`[{"cell_type": "code", "source": "", "outputs": ${items}}]`),
      'a list of objects',
    ],
    ['lines', inNotebook(`[{"cell_type": "code", "source": ${items}}]`), 'a string or a list of strings'],
    ['tags', `{"ipynb": {}, "tags": ${items}}`, '"tags"'],
    ['a body that is a list', items, 'Input should be an object'],
  ])('millions of %s cost one sentence, not the memory', async (_, body, msg) => {
    const before = process.memoryUsage.rss();
    const { status, text } = await client.submitText(body);
    expect(text).toContain(msg);
    expect(status).toBe(422);
    expect((process.memoryUsage.rss() - before) / MB).toBeLessThan(400);
  });
});

test('many bodies at once take no more memory than they may, and give it back', async () => {
  const { promise: answered, resolve: go } = Promise.withResolvers<void>();
  const rules = { maxBytes: 2 * MB, inflates: false, maxBytesAtOnce: 3 * MB };
  const handler: ApiHandler = async ({ body }) => {
    if (body.length === MB) await answered;
    return { status: 200, json: {} };
  };
  await using server = await serve(handler, undefined, {}, rules);
  const post = (bytes: number) => fetch(server.url, { method: 'POST', body: Buffer.alloc(bytes) });
  const waiting = [post(MB), post(MB)];
  await vi.waitUntil(async () => (await post(1.5 * MB)).status === 503, { timeout: 5_000, interval: 10 });
  expect((await post(0.5 * MB)).status).toBe(200);
  go();
  for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
  await vi.waitUntil(async () => (await post(2 * MB)).status === 200, { timeout: 5_000, interval: 10 });
});
