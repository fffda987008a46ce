import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { eventsKey } from '../../lib/contract/job-keys.ts';
import type { LiveEvent } from '../../lib/contract/live-event.ts';
import { EndWait } from '../../lib/http/prefer.ts';
import type { ApiRequest } from '../../lib/http/handler.ts';
import { JobWatch, type Watcher } from '../../lib/queue/job-watch.ts';
import { MAX_EVENTS, readEvents, writeEvents } from '../../lib/queue/live-events.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { watchRedis } from '../../lib/queue/redis.ts';
import { capturedLog } from '../support/log.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();
const never = new AbortController().signal;
const started = { type: 'job_started', attempt: 1 } as const;
const ended: LiveEvent = { type: 'job_ended', phase: 'completed', success: true };
let watch: JobWatch;
let connections: number;

beforeEach(() => {
  connections = 0;
  watch = new JobWatch(() => {
    connections++;
    return watchRedis(file.url);
  }, 3);
});
afterEach(() => watch.close());

async function watching(jobId: string): Promise<Watcher> {
  const watcher = watch.watch(jobId) as Watcher;
  expect(await watcher.subscribed(5_000, never)).toBe(true);
  return watcher;
}

test('watchers are woken by what happens to their job, over one connection', async () => {
  const [a, again, b] = [await watching('a'), await watching('a'), await watching('b')];
  await writeEvents(file.redis, 'a', [started], 60);
  expect(await a.woken(5_000, never)).toBe('more');
  expect(await again.woken(5_000, never)).toBe('more');
  expect(await b.woken(10, never)).toBe('timeout');
  await writeEvents(file.redis, 'b', [started, ended], 60);
  expect(await b.woken(5_000, never)).toBe('end');
  expect(connections).toBe(1);
});

test('what happens before a watcher waits is not lost, and an end is not hidden by more', async () => {
  const [watcher, later] = [await watching('c'), await watching('c')];
  await writeEvents(file.redis, 'c', [ended], 60);
  await writeEvents(file.redis, 'c', [started], 60);
  await vi.waitFor(async () => expect(await later.woken(1, never)).toBe('end'));
  await vi.waitFor(async () => expect(await watcher.woken(1, never)).toBe('end'));
});

test('no more may watch than the limit; who leaves makes room', async () => {
  using first = watch.watch('a');
  watch.watch('a');
  watch.watch('b');
  expect(watch.watch('b')).toBeUndefined();
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  expect(watch.count).toBe(2);
  expect(watch.watch('b')).toBeDefined();
});

test('everybody looks again after the connection was away', async () => {
  const watcher = await watching('d');
  const list = (await file.redis.client('LIST')) as string;
  const own = list
    .split('\n')
    .filter(
      (line) => line.includes('name=noteburst-watch') && line.includes(` db=${file.redis.options.db} `),
    );
  expect(own).toHaveLength(1);
  await file.redis.client('KILL', 'ID', /^id=(\d+)/.exec(own[0] ?? '')?.[1] ?? '');
  expect(await watcher.woken(5_000, never)).toBe('end');
  await writeEvents(file.redis, 'd', [started], 60);
  expect(await watcher.woken(5_000, never)).toBe('more');
});

test('a caller who has gone and a process that ends wait no longer', async () => {
  const watcher = await watching('e');
  const gone = new AbortController();
  const woken = watcher.woken(60_000, gone.signal);
  gone.abort();
  expect(await woken).toBe('timeout');
  const waiting = watcher.woken(60_000, never);
  watch.close();
  expect(await waiting).toBe('closed');
  expect(watch.watch('e')).toBeUndefined();
});

test('a job that ends between the look and the wait is not slept through', async () => {
  const states: JobSnapshot['state'][] = ['active', 'ended'];
  const { log } = capturedLog();
  const request = { headers: { prefer: 'wait=20' }, signal: never, log } as unknown as ApiRequest;
  using wait = EndWait.begin(request, watch, 'f');
  const queue = {
    find: async () => {
      const state = states.shift() as JobSnapshot['state'];
      if (state === 'active') await writeEvents(file.redis, 'f', [ended], 60);
      return { state } as JobSnapshot;
    },
  };
  expect(await wait?.ended(queue, 'f')).toEqual({ state: 'ended' });
});

test('a stream keeps the newest events, has a TTL from its first entry, and is read in pages', async () => {
  const many = Array.from({ length: MAX_EVENTS + 500 }, (_, attempt) => ({ ...started, attempt }));
  await writeEvents(file.redis, 'g', many, 60);
  expect(await file.redis.xlen(eventsKey('g'))).toBeLessThan(MAX_EVENTS + 200);
  expect(await file.redis.ttl(eventsKey('g'))).toBeGreaterThan(50);
  await file.redis.xadd(eventsKey('g'), '*', 'event', '{"type":"of another version"}');
  let afterId = '0-0';
  const read: unknown[] = [];
  for (let more = true; more;) {
    const page = await readEvents(file.redis, 'g', afterId, 100);
    ({ lastId: afterId, more } = page);
    read.push(...page.events.map(({ event }) => event));
  }
  expect(read).toEqual(many.slice(-read.length));
  expect(read.length).toBeGreaterThanOrEqual(MAX_EVENTS - 1);
});
