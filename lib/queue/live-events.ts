import type { Redis } from 'ioredis';
import { eventsChannel, eventsKey } from '../contract/job-keys.ts';
import { liveEvent, type LiveEvent } from '../contract/live-event.ts';

/** What a stream keeps at most; more only happens in notebooks of many hundreds of cells. */
export const MAX_EVENTS = 2_000;

/** How long the events of an ended job can still be followed from their beginning. */
export const ENDED_EVENTS_TTL_SECONDS = 3_600;

/** Adds events to a job's stream and wakes its watchers, all or nothing, so that no stream is without its TTL. */
export async function writeEvents(
  redis: Redis,
  jobId: string,
  events: readonly LiveEvent[],
  ttlSeconds: number,
): Promise<void> {
  const key = eventsKey(jobId);
  const transaction = redis.multi();
  for (const event of events) {
    transaction.xadd(key, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', JSON.stringify(event));
  }
  const kind: WakeKind = events.some(({ type }) => type === 'job_ended') ? 'end' : 'more';
  await transaction.expire(key, Math.ceil(ttlSeconds)).publish(eventsChannel(jobId), kind).exec();
}

export type WakeKind = 'more' | 'end';

/** Makes watchers look at the job again, where it is not known what became of it. */
export async function wakeWatchers(redis: Redis, jobId: string): Promise<void> {
  await redis.publish(eventsChannel(jobId), 'end' satisfies WakeKind);
}

export interface StoredEvent {
  /** Redis's id of the entry, which orders them. */
  id: string;
  event: LiveEvent;
}

/** @returns the events after that id, oldest first, and whether there may be more */
export async function readEvents(
  redis: Redis,
  jobId: string,
  afterId: string,
  count: number,
): Promise<{ events: StoredEvent[]; lastId: string; more: boolean }> {
  const entries = await redis.xrange(eventsKey(jobId), `(${afterId}`, '+', 'COUNT', count);
  const events = entries.flatMap(([id, fields]) => {
    const event = parsed(fields[1]);
    return event ? [{ id, event }] : [];
  });
  return { events, lastId: entries.at(-1)?.[0] ?? afterId, more: entries.length === count };
}

/** Entries of a newer version of the service, with types unknown here, are passed over. */
function parsed(text: string | undefined): LiveEvent | undefined {
  return liveEvent.safeParse(JSON.parse(text ?? 'null')).data;
}
