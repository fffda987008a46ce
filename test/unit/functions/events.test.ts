import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { identity, MemoryParts, QUEUE_NAME, serve, type TestServer } from '../../support/function-server.ts';
import { ipynb } from '../../support/notebooks.ts';

const id = newJobId(QUEUE_NAME);
const STREAM_MAX_MS = 300;
let parts: MemoryParts;
let server: TestServer;

beforeEach(async () => {
  parts = new MemoryParts();
  parts.jobs.set(id, {
    id,
    data: { version: 1, owner: 'alice', kernel_name: 'lsst', timeout_seconds: 300, enable_retry: true },
    state: 'active',
    enqueuedAtMs: 0,
  });
  parts.events.set(id, [{ type: 'job_started', attempt: 1 }]);
  server = await serve(parts.status({ streamHeartbeatMs: 100, streamMaxMs: STREAM_MAX_MS }));
});
afterEach(() => server[Symbol.asyncDispose]());

const ask = (path: string, init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {}) =>
  fetch(`${server.url}/noteburst/v1/notebooks/${path}`, {
    ...init,
    headers: { ...identity('alice'), ...init.headers },
  });

const BEGIN = 'retry: 1000\n\nid: 1-0\nevent: job_started\ndata: {"attempt":1}\n\n';

describe('a stream of events', () => {
  test('shows signs of life, and ends at its age so that its caller comes again', async () => {
    const begun = performance.now();
    const response = await ask(`${id}/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await response.text()).toMatch(/^retry: 1000\n\nid: 1-0\n.*\n\n(: still here\n\n){2,4}$/s);
    expect(performance.now() - begun).toBeGreaterThan(STREAM_MAX_MS - 20);
    expect(parts.watch.count).toBe(0);
  });

  test('is left when its caller goes, so that there is room for others', async () => {
    const leave = new AbortController();
    const { body } = await ask(`${id}/events`, { signal: leave.signal });
    await body?.getReader().read();
    expect(parts.watch.count).toBe(1);
    leave.abort();
    await vi.waitFor(() => expect(parts.watch.count).toBe(0));
  });

  test('is refused where too many watch already: 503 with Retry-After', async () => {
    const leave = new AbortController();
    await Promise.all([1, 2].map(() => ask(`${id}/events`, { signal: leave.signal })));
    const refused = await ask(`${id}/events`);
    expect(await refused.json()).toEqual({
      detail: [{ type: 'service_unavailable', msg: 'Too many watch jobs now, please try again' }],
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    leave.abort();
    await vi.waitFor(() => expect(parts.watch.count).toBe(0));
    expect((await ask(`${id}/events`)).status).toBe(200);
  });

  test('is told of with HEAD without being opened', async () => {
    const response = await ask(`${id}/events`, { method: 'HEAD' });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await response.text()).toBe('');
    await vi.waitFor(() => expect(parts.watch.count).toBe(0));
  });

  test('goes on after Last-Event-ID; an id that nobody gave is a 422', async () => {
    parts.events.get(id)?.push({ type: 'job_ended', phase: 'completed', success: true });
    expect(await (await ask(`${id}/events`)).text()).toContain(BEGIN);
    const rest = await ask(`${id}/events`, { headers: { 'Last-Event-ID': '1-0' } });
    expect(await rest.text()).toMatch(/^retry: 1000\n\nid: 2-0\nevent: job_ended\n/);
    const refused = await ask(`${id}/events`, { headers: { 'Last-Event-ID': 'yesterday' } });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ detail: [{ loc: ['header', 'last-event-id'] }] });
    expect(parts.watch.count).toBe(0);
  });
});

describe('a caller who comes again after the job has ended', () => {
  beforeEach(() => {
    const job = parts.jobs.get(id);
    if (job) parts.jobs.set(id, { ...job, state: 'ended', outcome: {} });
  });
  const again = (lastId: string) => ask(`${id}/events`, { headers: { 'Last-Event-ID': lastId } });

  test('and has its end is told that there is no more: 204', async () => {
    parts.events.get(id)?.push({ type: 'job_ended', phase: 'completed', success: true });
    expect((await again('2-0')).status).toBe(204);
    expect(await (await again('1-0')).text()).toContain('event: job_ended');
  });

  test('and before its executor has told of the end still gets it', async () => {
    const response = await again('1-0');
    expect(response.status).toBe(200);
    parts.events.get(id)?.push({ type: 'job_ended', phase: 'completed', success: true });
    expect(await response.text()).toContain('id: 2-0\nevent: job_ended\n');
  });

  test('and after its events have expired: 204', async () => {
    parts.events.delete(id);
    expect((await again('1-0')).status).toBe(204);
  });
});

describe('waiting for a job', () => {
  test('is passed over where too many wait already, and the job is answered as it is', async () => {
    const leave = new AbortController();
    await Promise.all([1, 2].map(() => ask(`${id}/events`, { signal: leave.signal })));
    const response = await ask(id, { headers: { Prefer: 'wait=20' } });
    expect(await response.json()).toMatchObject({ status: 'in_progress' });
    expect(response.headers.has('preference-applied')).toBe(false);
    await using submit = await serve(parts.submit());
    const posted = await fetch(`${submit.url}/noteburst/v1/notebooks/`, {
      method: 'POST',
      headers: { ...identity('alice'), 'Content-Type': 'application/json', Prefer: 'wait=20' },
      body: JSON.stringify({ ipynb: ipynb() }),
    });
    expect([posted.status, posted.headers.has('preference-applied')]).toEqual([202, false]);
    leave.abort();
  });

  test('ends when its caller goes', async () => {
    const leave = new AbortController();
    const waiting = ask(id, { headers: { Prefer: 'wait=20' }, signal: leave.signal });
    waiting.catch(() => undefined);
    await vi.waitFor(() => expect(parts.watch.count).toBe(1));
    leave.abort();
    await vi.waitFor(() => expect(parts.watch.count).toBe(0));
  });

  test('ends after the time it was asked for', async () => {
    const begun = performance.now();
    const response = await ask(id, { headers: { Prefer: 'wait=1' } });
    expect(performance.now() - begun).toBeGreaterThan(990);
    expect([response.status, response.headers.get('preference-applied')]).toEqual([200, 'wait=1']);
    await vi.waitFor(() => expect(parts.watch.count).toBe(0));
  });
});

test('DELETE ends the job; again it stays as it is', async () => {
  const answer = await ask(id, { method: 'DELETE' });
  const ended = await answer.json();
  expect(ended).toMatchObject({ status: 'complete', phase: 'aborted', error: { reason: 'cancelled' } });
  expect(answer.status).toBe(200);
  expect(await (await ask(id, { method: 'DELETE' })).json()).toEqual(ended);
});
