import { describe, expect, test } from 'vitest';
import { eventStream, FROM_START, idBefore, isEventId } from '../../../lib/http/event-stream.ts';
import type { Watcher, Woken } from '../../../lib/queue/job-watch.ts';
import type { StoredEvent } from '../../../lib/queue/live-events.ts';
import type { JobSnapshot } from '../../../lib/queue/nbexec-queue.ts';

const job = (rest: Partial<JobSnapshot>): JobSnapshot => ({
  id: 'nbexec-1',
  data: { version: 1, owner: 'alice', kernel_name: 'lsst', timeout_seconds: 1, enable_retry: true },
  state: 'active',
  enqueuedAtMs: 0,
  ...rest,
});
const started: StoredEvent = { id: '1-0', event: { type: 'job_started', attempt: 1 } };
const ended: StoredEvent = { id: '2-0', event: { type: 'job_ended', phase: 'completed', success: true } };

/** A stream of a job whose events and wake-ups the test plays. */
function play(pages: StoredEvent[][], wakes: Woken[], jobs: (JobSnapshot | undefined)[], maxAgeMs = 60_000) {
  const signal = new AbortController().signal;
  const asked: string[] = [];
  const watcher: Watcher = {
    isSubscribed: true,
    subscribed: async () => true,
    woken: async () => wakes.shift() ?? 'closed',
    [Symbol.dispose]: () => undefined,
  };
  const read = async (afterId: string) => {
    asked.push(afterId);
    const events = pages.shift() ?? [];
    return { events, lastId: events.at(-1)?.id ?? afterId, more: false };
  };
  const find = async () => (jobs.length > 1 ? jobs.shift() : jobs[0]);
  const stream = eventStream({
    watcher,
    afterId: FROM_START,
    read,
    find,
    signal,
    heartbeatMs: 1_000,
    maxAgeMs,
  });
  return { stream, asked };
}

const STARTED = 'id: 1-0\nevent: job_started\ndata: {"attempt":1}\n\n';
const ENDED = 'id: 2-0\nevent: job_ended\ndata: {"phase":"completed","success":true}\n\n';

describe('the events of a job', () => {
  test('end with its end', async () => {
    const { stream, asked } = play([[started], [ended]], ['more'], [job({})]);
    expect((await Array.fromAsync(stream)).slice(1)).toEqual([STARTED, ENDED]);
    expect(asked).toEqual(['0-0', '1-0']);
  });

  test('are told in a comment to go on when nothing happens', async () => {
    const { stream } = play([[started], [], [ended]], ['timeout', 'end'], [job({})]);
    expect((await Array.fromAsync(stream)).slice(1)).toEqual([STARTED, ': still here\n\n', ENDED]);
  });

  test('end when the job has, even if nobody wrote it', async () => {
    const end = job({ state: 'ended', outcome: { error: { code: 'unknown', reason: 'executor_lost' } } });
    const { stream } = play([[started], []], ['timeout'], [job({}), end]);
    expect((await Array.fromAsync(stream)).at(-1)).toBe(
      'event: job_ended\ndata: {"phase":"failed","success":false,"reason":"executor_lost"}\n\n',
    );
  });

  test('are waited for when the job has ended and its executor is about to tell of it', async () => {
    const end = job({ state: 'ended', outcome: {} });
    const { stream } = play([[started], [ended]], ['end'], [end]);
    expect((await Array.fromAsync(stream)).slice(1)).toEqual([STARTED, ENDED]);
  });

  test('are waited for however often the end is announced before', async () => {
    const end = job({ state: 'ended', outcome: {} });
    const { stream } = play([[started], [], [], [ended]], ['end', 'end', 'more'], [end]);
    expect((await Array.fromAsync(stream)).slice(1)).toEqual([STARTED, ENDED]);
  });

  test('are told in full of a job that has ended', async () => {
    const { stream } = play([[started, ended]], [], [job({ state: 'ended', outcome: {} })]);
    expect((await Array.fromAsync(stream)).slice(1)).toEqual([STARTED + ENDED]);
  });

  test('end when the job is gone, when the server ends, and when they have lasted too long', async () => {
    for (const { stream } of [
      play([[started]], [], [undefined]),
      play([[started]], ['closed'], [job({})]),
      play([[started]], [], [job({})], 0),
    ]) {
      expect(await Array.fromAsync(stream)).toEqual(['retry: 1000\n\n', STARTED]);
    }
  });
});

test.each([
  ['1795239280053-12', '1795239280053-11'],
  ['1795239280053-0', '1795239280052-18446744073709551615'],
])('before %s is %s', (id, before) => {
  expect(idBefore(id)).toBe(before);
});

test.each([
  ['0-0', true],
  ['1795239280053-12', true],
  ['', false],
  ['1', false],
  ['-', false],
  ['1-0 ', false],
  ['(1-0', false],
  [`${'1'.repeat(17)}-0`, false],
])('"%s" is the id of an event: %s', (id, is) => {
  expect(isEventId(id)).toBe(is);
});
