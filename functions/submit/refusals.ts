import type { PostNotebookRequest } from '../../lib/contract/notebooks-api.ts';
import { describePools, type Pools } from '../../lib/contract/pool.ts';
import { HttpError, unavailable } from '../../lib/http/http-error.ts';
import {
  KeyInUseError,
  KeyReusedError,
  PoolBotError,
  QueueFullError,
  TooManyJobsError,
} from '../../lib/queue/submission-errors.ts';

/** What a caller is told whose notebook was not accepted. */
export function notAccepted(error: unknown): HttpError {
  if (error instanceof TooManyJobsError) return refusal(429, 'too_many_jobs', error);
  if (error instanceof PoolBotError) return refusal(403, 'pool_bot', error);
  if (error instanceof KeyReusedError) return refusal(422, 'idempotency_key_reused', error);
  if (error instanceof KeyInUseError) return refusal(409, 'idempotency_key_in_use', error);
  const why = error instanceof QueueFullError ? 'full' : 'not available';
  return unavailable(`The queue is ${why}, the notebook was not accepted: please submit it again`);
}

function refusal(status: number, type: string, error: Error & { retryAfterSeconds?: number }): HttpError {
  const { message: msg, retryAfterSeconds } = error;
  const ofKey = type.startsWith('idempotency_key') ? { loc: ['header', 'Idempotency-Key'] } : {};
  const headers = retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) };
  return new HttpError(status, { type, msg, ...ofKey }, headers);
}

/** The URL is not quoted: its query may be secret. */
export function hostNotAllowed(): HttpError {
  const msg = 'This service sends no callbacks to this host and port';
  return new HttpError(422, { type: 'host_not_allowed', loc: ['body', 'callback', 'url'], msg });
}

/** No executors have what is asked for; it is not quoted, as it may be anything. */
export function unknownPool(pools: Pools, { image, size }: PostNotebookRequest): HttpError {
  const isImage = image !== undefined && pools.every((pool) => pool.image !== image);
  const field = isImage || size === undefined ? 'image' : 'size';
  const msg = `No notebooks are run with this ${isImage ? 'image' : 'size of this image'}; there are ${describePools(pools)}`;
  return new HttpError(422, { type: 'unknown_pool', loc: ['body', field], msg });
}
