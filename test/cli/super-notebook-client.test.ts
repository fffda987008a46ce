/** What the program of a super-notebook asks of a service, which here answers as each test says. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { json, redirect } from '../support/fake-http.ts';
import { writeNotebook } from '../support/suite-notebooks.ts';
import { startSuperNotebook } from './support/super-notebook.ts';

let dir: string;
let service: Server;
let baseUrl: string;
/** Like `POST /noteburst/v1/notebooks/`. */
let asked: string[];
let requests: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'noteburst-super-'));
  asked = [];
  requests = [];
  service = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    requests.push(request);
    request.resume().on('end', () => answer(request, response));
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  baseUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}/noteburst`;
});

afterEach(async () => {
  service.closeAllConnections();
  service.close();
  await once(service, 'close');
  rmSync(dir, { recursive: true });
});

/** A suite of these notebooks, one at a time. */
function start(names: readonly string[]) {
  for (const name of names) writeNotebook(join(dir, name), ['1']);
  const cases = names.map((name) => ({ name, path: name, file: join(dir, name), options: {} }));
  return startSuperNotebook(dir, baseUrl, cases, 1);
}

const POST = 'POST /noteburst/v1/notebooks/';
const GET = 'GET /noteburst/v1/notebooks/nbexec-1';
/** A service may say of itself what it likes. */
const job = (status: string) => ({ job_id: 'nbexec-1', status, self_url: 'http://127.0.0.1:9/elsewhere' });

test('asks again for what passes: a cut connection, 408, a submission that is being taken', async () => {
  const failures = [
    (response: ServerResponse) => response.destroy(),
    (response: ServerResponse) => json(response, 408, {}),
    (response: ServerResponse) => response.writeHead(409, { 'Retry-After': '1' }).end(),
  ];
  answer = (request, response) => {
    const fail = failures.shift();
    if (fail) fail(response);
    else json(response, 200, job(request.method === 'POST' ? 'queued' : 'complete'));
  };
  const child = start(['a.ipynb']);
  await once(child, 'close');
  expect(child.printed()).toContain('1 of 1 are well');
  expect(asked).toEqual([POST, POST, POST, POST, GET]);
  expect(new Set(requests.slice(0, 4).map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  // The link to the job is there at once.
  expect(requests.map(({ headers }) => headers['prefer'])).toEqual([
    ...Array<undefined>(4).fill(undefined),
    'wait=25',
  ]);
});

test('follows no redirect, for the token is for the service alone', async () => {
  answer = (_request, response) => redirect(response, `${baseUrl}/elsewhere`);
  const child = start(['a.ipynb']);
  await once(child, 'close');
  expect(asked).toEqual([POST]);
  expect(child.printed()).toContain('HTTP 302');
  expect(child.printed()).not.toContain('gt-a.b');
});

test('what is refused is not asked again', async () => {
  answer = (_request, response) => json(response, 409, { detail: [{ msg: 'Another one has this key' }] });
  const child = start(['a.ipynb']);
  await once(child, 'close');
  expect(asked).toEqual([POST]);
  expect(child.printed()).toContain('Another one has this key');
});

test('an interrupt cancels what runs, begins nothing more, and ends soon', async () => {
  let isCancelled = false;
  const waiting: ServerResponse[] = [];
  answer = ({ method }, response) => {
    if (method === 'DELETE') isCancelled = true;
    if (method !== 'GET') json(response, 200, job('queued'));
    else waiting.push(response);
    if (waiting.length > 0 && !isCancelled) child.kill('SIGINT');
    if (!isCancelled) return;
    const ended = { ...job('complete'), error: { reason: 'cancelled', message: 'It was cancelled' } };
    for (const response of waiting.splice(0)) json(response, 200, ended);
  };
  const child = start(['a.ipynb', 'b.ipynb']);
  await once(child, 'close');
  expect(asked).toEqual([POST, GET, 'DELETE /noteburst/v1/notebooks/nbexec-1']);
  expect(child.printed()).toContain('KeyboardInterrupt');
  expect(child.printed()).toMatch(/- cancelled<td><a[^>]*>a\.ipynb.*- cancelled<td>b\.ipynb/);
});
