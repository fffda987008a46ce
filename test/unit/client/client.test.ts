import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NoteburstError, RefusedError, UnreachableError } from '../../../client/client-error.ts';
import { NoteburstClient } from '../../../client/client.ts';

const TOKEN = 'gt-secret.token';

type Answer = (request: IncomingMessage & { body: string }, response: ServerResponse) => void;

/** What the service answers to each request in turn, and what it was asked. */
let answers: Answer[];
let asked: (IncomingMessage & { body: string })[];
let server: Server;
let client: NoteburstClient;

beforeEach(async () => {
  answers = [];
  asked = [];
  server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const seen = Object.assign(request, { body });
      asked.push(seen);
      const answer = answers.shift();
      if (answer) answer(seen, response);
      else response.writeHead(500).end();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = new NoteburstClient({
    baseUrl: `http://127.0.0.1:${port}/noteburst/`,
    token: TOKEN,
    patienceMs: 5_000,
  });
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const JOB = {
  job_id: 'nbexec-1',
  kernel_name: 'lsst',
  enqueue_time: '2026-01-01T00:00:00Z',
  status: 'queued',
  self_url: 'https://data.example.org/noteburst/v1/notebooks/nbexec-1',
  timeout: 300,
  phase: 'queued',
};

const says =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
const cut: Answer = (request) => request.socket.destroy();

describe('submitting', () => {
  test('sends the notebook and the token, and reads the job', async () => {
    answers = [says(202, JOB)];
    expect(await client.submit({ ipynb: '{}', timeout: '5m' })).toMatchObject({ job_id: 'nbexec-1' });
    expect(asked[0]).toMatchObject({ method: 'POST', url: '/noteburst/v1/notebooks/' });
    expect(asked[0]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}` });
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ ipynb: '{}', timeout: '5m' });
  });

  test('is repeated under the same idempotency key when the answer is lost, or the service away', async () => {
    answers = [
      cut,
      says(503, 'away', { 'Retry-After': '0' }),
      says(409, {}, { 'Retry-After': '0' }),
      says(202, JOB),
    ];
    await client.submit({ ipynb: '{}' });
    const keys = asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
  });

  test('is refused with what the service says is wrong', async () => {
    const detail = [{ type: 'unknown_pool', msg: 'There is no such image', loc: ['body', 'image'] }];
    answers = [says(422, { detail })];
    const error: unknown = await client.submit({ ipynb: '{}' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      status: 422,
      type: 'unknown_pool',
      field: 'image',
      message: 'image: There is no such image (HTTP 422)',
    });
    expect(asked).toHaveLength(1);
  });

  test('is given up when the service stays away, without the token in the error', async () => {
    answers = Array.from({ length: 20 }, () => cut);
    const impatient = new NoteburstClient({ baseUrl: baseUrl(), token: TOKEN, patienceMs: 300 });
    const error: unknown = await impatient.submit({ ipynb: '{}' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(String(error)).toContain(baseUrl());
    expect(String(error)).not.toContain(TOKEN);
  });
});

const baseUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/noteburst`;

describe('an answer that is cut', () => {
  test('is asked for again', async () => {
    answers = [
      (request, response) => {
        response.writeHead(200, { 'Content-Length': 999 });
        response.write('{"job_id":', () => request.socket.destroy());
      },
      says(200, JOB),
    ];
    expect(await client.get('nbexec-1')).toMatchObject({ job_id: 'nbexec-1' });
  });
});

test.each([
  ['http://user:secret@127.0.0.1/x', TOKEN],
  ['ftp://127.0.0.1/x', TOKEN],
  ['nothing', TOKEN],
  ['http://127.0.0.1/x', 'gt-secret\nX-Other: 1'],
  ['http://127.0.0.1/x', ''],
])('an address or a token that cannot be one is told, without it: %j %j', (address, token) => {
  const make = () => new NoteburstClient({ baseUrl: address, token });
  expect(make).toThrow(NoteburstError);
  expect(make).not.toThrow(/secret/);
});

describe('waiting', () => {
  test('asks the service to wait, until the job has ended', async () => {
    const applied = { 'Preference-Applied': 'wait=25', ETag: '"1"' };
    answers = [
      says(200, { ...JOB, status: 'in_progress', phase: 'running' }, applied),
      (_request, response) => response.writeHead(304, applied).end(),
      says(200, { ...JOB, status: 'complete', phase: 'completed', success: true }, applied),
    ];
    const job = await client.wait('nbexec-1');
    expect(job).toMatchObject({ status: 'complete', success: true });
    expect(asked.map(({ headers }) => headers['prefer'])).toEqual(['wait=25', 'wait=25', 'wait=25']);
    expect(asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"', '"1"']);
  });

  test('ends with its signal', async () => {
    answers = [() => undefined];
    const stop = new AbortController();
    const waited = client.wait('nbexec-1', { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(waited).rejects.toThrow('enough');
  });
});

describe('events', () => {
  const event = (id: string, { type, ...data }: { type: string }) =>
    `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n: a sign of life\n\n`;
  const started = { type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 1 };
  const ended = { type: 'job_ended', phase: 'completed', success: true };

  test('are told to the end, going on behind the last when the connection is cut', async () => {
    answers = [
      (request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write(event('1', started) + event('1', { type: 'of_a_newer_service' }), () =>
          request.socket.destroy(),
        );
      },
      says(200, event('2', ended), { 'Content-Type': 'text/event-stream' }),
    ];
    expect(await Array.fromAsync(client.events('nbexec-1'))).toEqual([started, ended]);
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '1']);
  });

  test('end where there are no more', async () => {
    answers = [(_request, response) => response.writeHead(204).end()];
    expect(await Array.fromAsync(client.events('nbexec-1'))).toEqual([]);
  });
});

test('a job without a notebook has nothing to download', async () => {
  answers = [
    says(404, { detail: [{ type: 'no_notebook', msg: 'There is none' }] }),
    says(200, '{"cells":[]}'),
  ];
  expect(await client.download('nbexec-1')).toBeUndefined();
  expect(await client.download('nbexec-1')).toBe('{"cells":[]}');
});

test.each([
  ['a page', says(200, '<html>'), 'is it the address of a Noteburst?'],
  ['other JSON', says(200, { hello: 1 }), 'did not answer as Noteburst does'],
  [
    'a login',
    says(302, '', { Location: 'https://data.example.org/login' }),
    'redirects to https://data.example.org/login',
  ],
])('what answers with %s is told from the service', async (_what, answer, message) => {
  answers = [answer];
  const error: unknown = await client.get('nbexec-1').catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NoteburstError);
  expect(String(error)).toContain(message);
});
