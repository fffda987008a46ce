import type { Redis } from 'ioredis';
import type { LiveEvent } from '../../../lib/contract/live-event.ts';
import type { Logger } from '../../../lib/logger.ts';
import { ENDED_EVENTS_TTL_SECONDS, writeEvents } from '../../../lib/queue/live-events.ts';
import type { TakenJob } from './job-queue.ts';
import { LiveReport } from './live-report.ts';

/**
 * What tells a job's watchers of its run. Nobody waits for it, and a watcher who misses something has the notebook in
 * the end.
 *
 * @param assertOurs throws when nothing may be written for the job any more
 */
export function reportOf({ job }: TakenJob, redis: Redis, assertOurs: () => void, log: Logger): LiveReport {
  const write = async (events: LiveEvent[]) => {
    const ended = events.at(-1)?.type === 'job_ended';
    // Another may have the job by now; its committed end however is a fact.
    if (!ended) assertOurs();
    const ttlSeconds = ENDED_EVENTS_TTL_SECONDS + (ended ? 0 : (job.data.timeout_seconds ?? 0));
    await writeEvents(redis, job.id, events, ttlSeconds);
  };
  return new LiveReport((events) =>
    write(events).catch((error: unknown) => log.debug({ err: error }, 'events not written')),
  );
}
