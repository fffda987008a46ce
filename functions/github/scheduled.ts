import { hash, timingSafeEqual } from 'node:crypto';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable } from '../../lib/http/http-error.ts';
import type { SuiteQueue } from '../../lib/queue/suite-queue.ts';

export interface ScheduledParts {
  queue: Pick<SuiteQueue, 'add'>;
  scheduleSecrets: readonly string[];
}

const MINUTE_MS = 60_000;

/**
 * `POST /github/scheduled`: has the courier look at what is due. Whoever calls twice in a minute has it look once.
 *
 * @throws {HttpError} 401
 */
export async function scheduled(parts: ScheduledParts, request: ApiRequest): Promise<ApiReply> {
  const [, token = ''] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!parts.scheduleSecrets.some((secret) => isSame(secret, token)))
    throw new HttpError(
      401,
      { type: 'invalid_token', msg: 'The token is not right' },
      { 'WWW-Authenticate': 'Bearer' },
    );
  const minute = Math.floor(Date.now() / MINUTE_MS);
  try {
    await parts.queue.add('schedules', `schedules-${minute}`, { version: 1, at_ms: Date.now() }, []);
  } catch (error) {
    request.log.warn({ err: error }, 'schedules not looked at: Redis did not answer');
    throw unavailable('The queue is not available, please try again');
  }
  return { status: 202, json: { status: 'accepted' } };
}

/** In the same time, whatever is different. */
const isSame = (a: string, b: string): boolean =>
  timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));
