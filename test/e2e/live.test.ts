import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsKey } from '../../lib/contract/job-keys.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { jobEvents, type JobEvent } from '../support/job-events.ts';
import { codeCell, ipynb } from '../support/notebooks.ts';
import { platform } from '../support/platform.ts';
import { Stack } from '../support/stack.ts';

let stack: Stack;
const scratch = mkdtempSync(join(tmpdir(), 'noteburst-live-'));
beforeAll(async () => {
  stack = await Stack.start();
  await (await stack.startExecutor()).ready();
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

const eventsOf = (jobId: string, lastEventId?: string) => jobEvents(stack, jobId, lastEventId);

async function all(events: AsyncIterable<JobEvent>): Promise<JobEvent[]> {
  const list = [];
  for await (const event of events) list.push(event);
  return list;
}

/** Code that goes on when the test has made the file. */
const untilFile = (path: string) =>
  codeCell(`
import pathlib, time
print("waiting", flush=True)
while not pathlib.Path(${JSON.stringify(path)}).exists():
    time.sleep(0.01)
print("over")`);

const newFile = () => join(scratch, crypto.randomUUID());

async function post(body: object, prefer: string): Promise<{ response: Response; job: NotebookResponse }> {
  const response = await stack.fetch('submit', '/v1/notebooks/', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Prefer: prefer },
    body: JSON.stringify(body),
  });
  return { response, job: (await response.json()) as NotebookResponse };
}

describe("a job's events", () => {
  test('come as they happen, in order, outputs before the end of their cell', async () => {
    const file = newFile();
    const id = await stack.submit(ipynb({ cells: [codeCell('print("one")'), untilFile(file)] }));
    const seen: string[] = [];
    for await (const { type, data } of eventsOf(id)) {
      const output = data['output'] as { text: string } | undefined;
      seen.push(
        [type, data['cell_index'] as number | undefined, output?.text]
          .filter((part) => part !== undefined)
          .join(' '),
      );
      // The cell cannot end before this has been seen.
      if (output?.text === 'waiting\n') writeFileSync(file, '');
    }
    expect(seen).toEqual([
      'job_started',
      'cell_started 0',
      'output 0 one\n',
      'cell_finished 0',
      'cell_started 1',
      'output 1 waiting\n',
      'output 1 over\n',
      'cell_finished 1',
      'job_ended',
    ]);
  });

  test('go on after a connection was dropped, with exactly the rest', async () => {
    const file = newFile();
    const id = await stack.submit(ipynb({ cells: [codeCell('1'), untilFile(file), codeCell('3')] }));
    const before: JobEvent[] = [];
    for await (const event of eventsOf(id)) {
      before.push(event);
      if (event.type === 'output' && event.data['cell_index'] === 1) break;
    }
    writeFileSync(file, '');
    const after = await all(eventsOf(id, before.at(-1)?.id));
    expect(after.at(-1)).toMatchObject({ type: 'job_ended', data: { phase: 'completed', success: true } });
    const whole = await all(eventsOf(id));
    expect([...before, ...after]).toEqual(whole);
    const last = await stack.fetch('status', `/v1/notebooks/${id}/events`, {
      headers: { 'Last-Event-ID': whole.at(-1)?.id ?? '' },
    });
    expect(last.status).toBe(204);
  });

  test('are written though nobody watches, and go by themselves', async () => {
    const redis = new Redis(platform().redisUrl);
    try {
      const id = await stack.submit(ipynb({ cells: [untilFile(newFile())] }), { timeout: 60 });
      const key = eventsKey(id);
      await expect.poll(() => redis.xlen(key)).toBeGreaterThan(1);
      // Longer than the job can take, and an hour.
      expect(await redis.ttl(key)).toBeGreaterThan(3_600);
      expect(await redis.ttl(key)).toBeLessThanOrEqual(3_660);
      await stack.fetch('status', `/v1/notebooks/${id}`, { method: 'DELETE' });
      await stack.untilComplete(id);
      await expect
        .poll(async () => (await redis.xrevrange(key, '+', '-', 'COUNT', 1))[0]?.[1][1])
        .toMatch(/"type":"job_ended"/);
      expect(await redis.ttl(key)).toBeLessThanOrEqual(3_600);
      const events = await all(eventsOf(id));
      expect(events.map(({ type }) => type)).toEqual([
        'job_started',
        'cell_started',
        'output',
        ...events.slice(3, -2).map(() => 'output'),
        'cell_finished',
        'job_ended',
      ]);
    } finally {
      redis.disconnect();
    }
  });

  test('are seen by several watchers alike, each with the end', async () => {
    const file = newFile();
    const id = await stack.submit(ipynb({ cells: [untilFile(file)] }));
    const watchers = Array.from({ length: 5 }, () => all(eventsOf(id)));
    await stack.until(id, ({ phase }) => phase === 'running');
    writeFileSync(file, '');
    const [first, ...others] = await Promise.all(watchers);
    expect(first?.at(-1)?.type).toBe('job_ended');
    for (const other of others) expect(other).toEqual(first);
  });

  test('of a job that is cancelled end with that', async () => {
    const id = await stack.submit(ipynb({ cells: [untilFile(newFile())] }));
    const events: JobEvent[] = [];
    for await (const event of eventsOf(id)) {
      events.push(event);
      if (event.type === 'output' && (event.data['output'] as { text?: string }).text === 'waiting\n') {
        await stack.fetch('status', `/v1/notebooks/${id}`, { method: 'DELETE' });
      }
    }
    const end = { phase: 'aborted', success: false, reason: 'cancelled' };
    expect(events.at(-1)).toMatchObject({ type: 'job_ended', data: end });
    expect(await all(eventsOf(id))).toEqual(events);
  });

  test("are nobody else's: 404", async () => {
    const id = await stack.submit(ipynb());
    const response = await stack.fetch('status', `/v1/notebooks/${id}/events`, {}, 'mallory');
    expect(response.status).toBe(404);
    await stack.untilComplete(id);
  });

  test('of a cell that prints without end stay bounded', async () => {
    const id = await stack.submit(ipynb({ cells: [codeCell('for n in range(200_000): print("x" * 100)')] }));
    const events = await all(eventsOf(id));
    expect(events.at(-1)?.type).toBe('job_ended');
    const chars = events.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0);
    expect(chars).toBeLessThan(5 * 1024 * 1024);
  });
});

describe('Prefer: wait', () => {
  test('answers a POST with the whole job when it ends in time', async () => {
    const { response, job } = await post({ ipynb: ipynb() }, 'respond-async, wait=20');
    expect(response.status).toBe(200);
    expect(response.headers.get('preference-applied')).toBe('wait=20');
    expect(response.headers.get('location')).toBe(job.self_url);
    expect(job).toMatchObject({ status: 'complete', success: true });
    expect(await stack.job(job.job_id)).toEqual(job);
  });

  test('answers with what there is when the job does not end in time', async () => {
    const file = newFile();
    const { response, job } = await post({ ipynb: ipynb({ cells: [untilFile(file)] }) }, 'wait=1');
    expect(response.status).toBe(202);
    expect(response.headers.get('preference-applied')).toBe('wait=1');
    expect(job).toMatchObject({ status: 'in_progress', phase: 'running' });
    const begun = performance.now();
    const get = await stack.fetch('status', `/v1/notebooks/${job.job_id}`, { headers: { Prefer: 'wait=1' } });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
    expect(get.status).toBe(200);
    expect(get.headers.get('preference-applied')).toBe('wait=1');
    expect(await get.json()).toMatchObject({ status: 'in_progress' });

    const waiting = stack.fetch('status', `/v1/notebooks/${job.job_id}`, { headers: { Prefer: 'wait=20' } });
    writeFileSync(file, '');
    expect(await (await waiting).json()).toMatchObject({ status: 'complete', success: true });
  });

  test('of a job that has ended is answered at once', async () => {
    const { job } = await post({ ipynb: ipynb() }, 'wait=20');
    const get = await stack.fetch('status', `/v1/notebooks/${job.job_id}`, {
      headers: { Prefer: 'wait=20' },
    });
    expect(await get.json()).toEqual(job);
    expect(get.headers.has('preference-applied')).toBe(false);
  });
});
