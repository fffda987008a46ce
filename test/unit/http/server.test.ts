import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpError } from '../../../lib/http/http-error.ts';
import { MAX_BODY_BYTES } from '../../../lib/http/request-body.ts';
import { serve, type TestServer } from '../../support/function-server.ts';

const MB = 1024 * 1024;
const TOO_LARGE = {
  detail: [{ type: 'body_too_large', msg: 'The request body is over the limit of 33554432 bytes' }],
};
type Body = NonNullable<RequestInit['body']>;
const gzipped = gzipSync(Buffer.alloc(16 * MB));
let server: TestServer;
let ready: boolean;

beforeEach(async () => {
  ready = true;
  server = await serve(
    async (request) => {
      if (request.path === '/fault') throw new Error('canary-internal');
      if (request.path === '/refusal') throw new HttpError(418, { type: 'teapot', msg: 'I am a teapot' });
      const { body, path, query } = request;
      return {
        status: 200,
        json: { path, query: query.toString(), bytes: body.length, start: body.toString('utf8', 0, 20) },
      };
    },
    async () => ready,
  );
});

afterEach(() => server[Symbol.asyncDispose]());

async function post(body: Body, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}/echo`, {
    method: 'POST',
    body,
    headers,
    duplex: 'half',
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

/** A body that is made while it is sent, so that its length is not known ahead. */
function stream(megabytes: number): ReadableStream {
  let left = megabytes;
  return new ReadableStream({
    pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(MB)) : controller.close()),
  });
}

/** Sends a request line that no HTTP client would. @returns the whole answer */
async function raw(target: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  return text(socket);
}

describe('a body', () => {
  test('comes to the function as it was sent', async () => {
    expect((await post('{"a": 1}')).json).toMatchObject({ bytes: 8, start: '{"a": 1}' });
    expect((await post('')).json).toMatchObject({ bytes: 0 });
  });

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
    ['deflate', deflateSync],
  ])('in %s is inflated', async (encoding, compress) => {
    const { json } = await post(compress('{"a": 1}'), { 'Content-Encoding': encoding });
    expect(json).toMatchObject({ bytes: 8, start: '{"a": 1}' });
  });

  test('of the limit is taken, one byte more is not', async () => {
    expect(await post(Buffer.alloc(MAX_BODY_BYTES))).toMatchObject({
      status: 200,
      json: { bytes: MAX_BODY_BYTES },
    });
    expect(await post(Buffer.alloc(MAX_BODY_BYTES + 1))).toMatchObject({ status: 413, json: TOO_LARGE });
  });

  test('that turns out too large while it comes is refused, and the connection is as good as before', async () => {
    expect(await post(stream(100))).toMatchObject({ status: 413, json: TOO_LARGE });
    expect(await post('{"a": 1}')).toMatchObject({ status: 200 });
  });

  test('that is a gzip bomb is refused within bounded memory', async () => {
    // Half a gigabyte: a gzip file may be made of several, one after the other.
    const bomb = Buffer.concat(Array.from({ length: 32 }, () => gzipped));
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5);
    const answer = await post(bomb, { 'Content-Encoding': 'gzip' });
    clearInterval(watch);
    expect(answer).toMatchObject({ status: 413, json: TOO_LARGE });
    expect((peak - before) / MB).toBeLessThan(150);
  });

  test.each([
    ['not gzip at all', Buffer.from('canary-body')],
    ['long and not gzip', Buffer.alloc(8 * MB, 7)],
    ['cut off', gzipSync('canary-body'.repeat(50)).subarray(0, 25)],
    ['damaged', Buffer.concat([gzipSync('a').subarray(0, -8), Buffer.alloc(8, 1)])],
  ])('called gzip but %s is refused', async (_, body) => {
    expect(await post(body, { 'Content-Encoding': 'gzip' })).toMatchObject({
      status: 400,
      json: { detail: [{ type: 'body_unreadable', msg: 'The request body is cut off or not valid gzip' }] },
    });
  });

  test.each(['br', 'zstd', 'gzip, gzip', 'constructor', '__proto__'])(
    'in the encoding %s is refused',
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

  test('is never shown, whatever it says it is and whatever is wrong with it', async () => {
    for (const type of [
      'application/json',
      'application/cloudevents+json',
      'application/x-www-form-urlencoded',
      'text/plain',
    ]) {
      // The framework's own parsers would stop at this, and print it.
      const answer = await post(`{"${'canary-body '.repeat(10)}`, { 'Content-Type': type });
      expect(answer).toMatchObject({ status: 200, json: { bytes: 122 } });
    }
    expect(server.lines.join('')).not.toContain('canary');
  });
});

describe('a request', () => {
  test.each([
    ['//', 'HTTP/1.1 200'],
    ['//[', 'HTTP/1.1 200'],
    ['/\\\\[', 'HTTP/1.1 200'],
    ['/%ZZ', 'HTTP/1.1 404'],
    ['/%ff', 'HTTP/1.1 404'],
    ['*', 'HTTP/1.1 404'],
    ['http://[/', 'HTTP/1.1 404'],
  ])('for %s is answered in JSON, never as a fault of ours', async (target, start) => {
    const answer = await raw(target);
    expect(answer.slice(0, start.length)).toBe(start);
    expect(answer).toContain('Content-Type: application/json');
    expect(answer).not.toMatch(/node_modules|crash/);
  });

  test('has its path and query as they were sent', async () => {
    const response = await fetch(`${server.url}/a%2Fb/?source=1&x=a?b`);
    expect(await response.json()).toMatchObject({ path: '/a%2Fb/', query: 'source=1&x=a%3Fb' });
  });

  test('that is refused is told so in the form of FastAPI', async () => {
    const response = await fetch(`${server.url}/refusal`);
    expect(response.status).toBe(418);
    expect(await response.json()).toEqual({ detail: [{ type: 'teapot', msg: 'I am a teapot' }] });
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('that meets a fault of ours is told nothing of it, but the log is', async () => {
    const response = await fetch(`${server.url}/fault`);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe(
      '{"detail":[{"type":"internal_error","msg":"Internal server error"}]}',
    );
    expect(server.lines.join('')).toContain('canary-internal');
  });
});

const statusOf = async (path: string) => (await fetch(server.url + path)).status;

describe('the probes', () => {
  test('say live always and ready when the function is', async () => {
    expect(await statusOf('/health/live')).toBe(200);
    expect(await statusOf('/health/ready')).toBe(200);
    ready = false;
    expect(await statusOf('/health/live')).toBe(200);
    expect(await statusOf('/health/ready')).toBe(503);
  });
});
