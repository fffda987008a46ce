import { poolOf, type Pools } from '../../lib/contract/pool.ts';
import type { Caller, CallerCheck } from '../../lib/http/caller.ts';
import type { ApiRequest } from '../../lib/http/handler.ts';
import { unavailable, unknownJob } from '../../lib/http/http-error.ts';
import type { LiveParts } from '../../lib/http/run-function.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import type { PoolQueues } from '../../lib/queue/pool-queues.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';

/** What the routes of this function work with. */
export interface StatusParts {
  callers: CallerCheck;
  queue: Pick<PoolQueues, 'find' | 'listOwn'>;
  store: Pick<ResultStore, 'getSource' | 'getResult'>;
  live: LiveParts;
  /** Who may read every job, and cancel none but their own. */
  readers: ReadonlySet<string>;
  pools: Pools;
  pathPrefix: string;
  apiUrl: string;
  maxTimeoutSeconds: number;
  streamHeartbeatMs: number;
  streamMaxMs: number;
}

/** What the caller wants of a job: to read it, which readers may too, or to act as its owner. */
type Access = 'read' | 'own';

/**
 * The job that a request is about. Another's does not exist for this caller: a 403 would tell that it does.
 *
 * @throws {HttpError} 404, 503
 */
export async function jobOf(
  parts: StatusParts,
  request: ApiRequest,
  caller: Caller,
  jobId: string,
  access: Access,
): Promise<JobSnapshot> {
  if (!poolOf(parts.pools, jobId)) throw unknownJob();
  const found = await fromRedis(request, () => parts.queue.find(jobId));
  if (!found || !may(parts, request, caller, found, access)) throw unknownJob();
  return found;
}

function may(
  parts: StatusParts,
  request: ApiRequest,
  { username }: Caller,
  job: JobSnapshot,
  access: Access,
): boolean {
  if (job.data.owner === username) return true;
  if (access !== 'read' || !parts.readers.has(username)) return false;
  request.log.info({ job_id: job.id, owner: job.data.owner, reader: username }, 'job read by a reader');
  return true;
}

/** Asked first of all, so that strangers are told nothing. @throws {HttpError} 401, 403, 503 */
export const callerOf = ({ callers }: StatusParts, { headers, signal }: ApiRequest): Promise<Caller> =>
  callers.callerOf(headers, signal);

/** @throws {HttpError} 503 when Redis does not answer */
export async function fromRedis<T>(request: ApiRequest, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    request.log.warn({ err: error }, 'job not read: Redis did not answer');
    throw unavailable('The queue is not available, please try again');
  }
}
