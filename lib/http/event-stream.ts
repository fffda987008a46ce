/** The events of a job as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import { jobEnded, type LiveEvent } from '../contract/live-event.ts';
import type { Watcher } from '../queue/job-watch.ts';
import type { StoredEvent } from '../queue/live-events.ts';
import type { JobSnapshot } from '../queue/nbexec-queue.ts';
import { errorOfJob } from './notebook-response.ts';

/** Before Redis's first id. */
export const FROM_START = '0-0';

/** An id before this one and after all that are before it. */
export function idBefore(id: string): string {
  const [ms = 0, n = 0] = id.split('-').map(Number);
  return n > 0 ? `${ms}-${n - 1}` : `${ms - 1}-${2n ** 64n - 1n}`;
}

/** Whether it is an id that this service gave. */
export const isEventId = (text: string): boolean => /^\d{1,16}-\d{1,16}$/.test(text);

export interface EventStreamOptions {
  /** Disposed of at the stream's end. */
  watcher: Watcher;
  /** The last event that the caller has. */
  afterId: string;
  read: (afterId: string) => Promise<{ events: StoredEvent[]; lastId: string; more: boolean }>;
  find: () => Promise<JobSnapshot | undefined>;
  /** Aborted when the caller has gone. */
  signal: AbortSignal;
  /** Between two comments that keep proxies from closing an idle connection. */
  heartbeatMs: number;
  /** After that the caller must come again, so that an idle function can end. */
  maxAgeMs: number;
}

const RETRY_MS = 1_000;
/** An executor tells of an end right after it has committed it. */
const TELLING_MS = 1_000;

/** Tells what has happened since `afterId`, then what happens, until the job's end. */
export async function* eventStream(options: EventStreamOptions): AsyncGenerator<string> {
  using watcher = options.watcher;
  const { signal } = options;
  const endsAtMs = performance.now() + options.maxAgeMs;
  let { afterId } = options;
  let toldByMs: number | undefined;
  yield `retry: ${RETRY_MS}\n\n`;
  await watcher.subscribed(options.heartbeatMs, signal);
  for (let look = true; !signal.aborted;) {
    // Asked for before the events are read, so that those before the end are all told.
    const job = look ? await options.find() : undefined;
    for (let more = true; more && !signal.aborted;) {
      const page = await options.read(afterId);
      ({ lastId: afterId, more } = page);
      if (page.events.length > 0) yield page.events.map(serverSentEvent).join('');
      if (page.events.some(({ event }) => event.type === 'job_ended')) return;
    }
    if (look && (!job || job.state === 'ended')) {
      toldByMs ??= performance.now() + TELLING_MS;
      const tellingMs = toldByMs - performance.now();
      // A job's end is announced more than once, and each may come before its last events.
      if (job && tellingMs > 0) {
        const woken = await watcher.woken(tellingMs, signal);
        if (woken === 'timeout' || woken === 'closed') toldByMs = 0;
        continue;
      }
      // The executor that ended it did not say so, or its events have expired.
      if (job) yield serverSentEvent({ event: jobEnded(errorOfJob(job), job.outcome?.ipynb_error?.name) });
      return;
    }
    const leftMs = endsAtMs - performance.now();
    if (leftMs <= 0) return;
    const woken = await watcher.woken(Math.min(options.heartbeatMs, leftMs), signal);
    if (woken === 'closed') return;
    if (woken === 'timeout') yield ': still here\n\n';
    look = woken !== 'more';
  }
}

function serverSentEvent({ id, event }: { id?: string; event: LiveEvent }): string {
  const { type, ...data } = event;
  // JSON has no line ends of its own, which would end the field.
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
