import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import { LiveReport } from '../../../workers/executor/jobs/live-report.ts';

let writes: LiveEvent[][];
let report: LiveReport;

beforeEach(() => {
  vi.useFakeTimers();
  writes = [];
  report = new LiveReport(async (events) => void writes.push(events));
});

afterEach(() => {
  vi.useRealTimers();
});

const started: LiveEvent = { type: 'cell_started', cell_index: 0, cells_done: 0, cells_total: 1 };
const finished: LiveEvent = { type: 'cell_finished', cell_index: 0, cells_done: 1, cells_total: 1 };
const ended: LiveEvent = { type: 'job_ended', phase: 'completed', success: true };
const print = (text: string, name = 'stdout', cell_index = 0): LiveEvent => ({
  type: 'output',
  cell_index,
  output: { output_type: 'stream', name, text },
});
const shown = (data: object): LiveEvent => ({
  type: 'output',
  cell_index: 0,
  output: { output_type: 'display_data', data, metadata: {} },
});
const raised = (traceback: string): LiveEvent => ({
  type: 'output',
  cell_index: 0,
  output: { output_type: 'error', ename: 'E', evalue: 'v', traceback: [traceback] },
});
const size = (events: LiveEvent[]) => JSON.stringify(events).length;

describe('what happens in a run', () => {
  test('is written in one go, with its end, when it is quick', async () => {
    for (const event of [started, print('1\n'), finished]) report.take(event);
    await report.close(ended);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writes).toEqual([[started, print('1\n'), finished, ended]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is written after a moment, then a few times a second', async () => {
    report.take(started);
    await vi.advanceTimersByTimeAsync(50);
    expect(writes).toEqual([[started]]);
    report.take(print('1'));
    await vi.advanceTimersByTimeAsync(249);
    expect(writes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(writes.slice(1)).toEqual([[print('1')]]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writes).toHaveLength(2);
  });

  test('joins the text of one stream, but neither two streams nor two cells', async () => {
    for (const event of [print('a'), print('b'), print('c', 'stderr'), print('d', 'stderr', 1)])
      report.take(event);
    await report.close();
    expect(writes).toEqual([[print('ab'), print('c', 'stderr'), print('d', 'stderr', 1)]]);
  });

  test('is bounded, whatever is printed: the newest of a stream, and no more at once than the limit', async () => {
    for (let n = 0; n < 1_000; n++) report.take(print('x'.repeat(10_000)));
    for (let n = 0; n < 1_000; n++) report.take(print('y'.repeat(10_000), n % 2 ? 'stderr' : 'stdout'));
    await report.close();
    expect(size(writes.flat())).toBeLessThan(100_000);
    expect(writes.flat()[0]).toMatchObject({ truncated: true });
  });

  test('is bounded over the whole run', async () => {
    for (let n = 0; n < 1_000; n++) {
      report.take(print('x'.repeat(16_000)));
      await vi.advanceTimersByTimeAsync(250);
    }
    report.take(finished);
    await report.close(ended);
    expect(size(writes.flat())).toBeLessThan(4.5 * 1024 * 1024);
    expect(writes.flat().slice(-2)).toEqual([finished, ended]);
  });

  test('says where outputs are left out', async () => {
    for (let n = 0; n < 10; n++) report.take(shown({ 'text/plain': `${n}`.repeat(10_000) }));
    report.take(finished);
    await report.close();
    const events = writes.flat();
    expect(events.at(-1)).toEqual(finished);
    expect(events.at(-2)).toMatchObject({ type: 'output', truncated: true });
    expect(events.at(-3)).not.toHaveProperty('truncated');
  });

  test('says so once over the whole run, though all outputs before have been written', async () => {
    for (let n = 0; n < 300; n++) {
      report.take(print('x'.repeat(16_000)));
      await vi.advanceTimersByTimeAsync(250);
    }
    await report.close();
    expect(writes.flat().filter((event) => 'truncated' in event)).toEqual([
      { ...print(''), truncated: true },
    ]);
  });

  test('shows an error beyond the limits, within limits of its own', async () => {
    for (let n = 0; n < 10; n++) report.take(print('x'.repeat(16_000), n % 2 ? 'stderr' : 'stdout'));
    report.take(raised('why'));
    await report.close();
    expect(writes.flat().at(-1)).toEqual(raised('why'));
    report = new LiveReport(async (events) => void writes.push(events));
    for (let n = 0; n < 1_000; n++) report.take(raised('y'.repeat(10_000)));
    await report.close();
    expect(size(writes.at(-1) ?? [])).toBeLessThan(150_000);
  });

  test('shows of a large error its name and the end of its traceback', async () => {
    report.take(raised(`${'y'.repeat(100_000)}!`));
    await report.close();
    expect(writes.flat()).toMatchObject([
      { output: { ename: 'E', evalue: 'v', traceback: [expect.stringMatching(/y!$/)] }, truncated: true },
    ]);
    expect(size(writes.flat())).toBeLessThan(20_000);
  });

  test('leaves out the large representations of an output', async () => {
    const image = 'i'.repeat(100_000);
    report.take(shown({ 'image/png': image, 'text/plain': '<Figure>', 'application/json': { a: [image] } }));
    await report.close();
    expect(writes).toEqual([
      [
        {
          type: 'output',
          cell_index: 0,
          output: { output_type: 'display_data', data: { 'text/plain': '<Figure>' }, metadata: {} },
          truncated: true,
        },
      ],
    ]);
  });

  test('waits for a write that takes long, and keeps the order', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    report = new LiveReport(async (events) => {
      writes.push(events);
      await promise;
    });
    report.take(started);
    await vi.advanceTimersByTimeAsync(50);
    report.take(finished);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writes).toEqual([[started]]);
    const closed = report.close(ended);
    resolve();
    await closed;
    expect(writes).toEqual([[started], [finished, ended]]);
  });

  test('is taken no more after the end', async () => {
    await report.close(ended);
    report.take(finished);
    await report.close(ended);
    expect(writes).toEqual([[ended]]);
  });
});
