import { eventStream, FROM_START, idBefore, isEventId } from '../../lib/http/event-stream.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable } from '../../lib/http/http-error.ts';
import { callerOf, fromRedis, jobOf, type StatusParts } from './own-job.ts';

/** `GET /v1/notebooks/{job_id}/events`: what happens to a job, as it happens. */
export async function events(parts: StatusParts, request: ApiRequest, jobId: string): Promise<ApiReply> {
  const { live } = parts;
  const found = await jobOf(parts, request, await callerOf(parts, request), jobId, 'read');
  const afterId = String(request.headers['last-event-id'] ?? '') || FROM_START;
  if (!isEventId(afterId)) {
    const msg = 'Input should be the id of an event';
    throw new HttpError(422, { type: 'value_error', loc: ['header', 'last-event-id'], msg });
  }
  const read = (id: string) => fromRedis(request, () => live.events(jobId, id));
  // A browser comes again after every end, and is to be told that there is no more.
  if (found.state === 'ended' && afterId !== FROM_START) {
    const [last] = (await read(idBefore(afterId))).events;
    if (!last || (last.id === afterId && last.event.type === 'job_ended')) return { status: 204 };
  }
  const watcher = live.watch.watch(jobId);
  if (!watcher) throw unavailable('Too many watch jobs now, please try again');
  // The stream leaves at its end, but it may never be begun.
  const leave = () => watcher[Symbol.dispose]();
  request.signal.addEventListener('abort', leave, { once: true });
  if (request.signal.aborted) leave();
  const stream = eventStream({
    watcher,
    afterId,
    read,
    find: () => fromRedis(request, () => parts.queue.find(jobId)),
    signal: request.signal,
    heartbeatMs: parts.streamHeartbeatMs,
    maxAgeMs: parts.streamMaxMs,
  });
  return {
    status: 200,
    headers: { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' },
    stream,
  };
}
