import { showCallback } from '../../lib/contract/callback.ts';
import { newJobId, queueNameOf, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import type { PostNotebookRequest } from '../../lib/contract/notebooks-api.ts';
import { poolFor, type Pools } from '../../lib/contract/pool.ts';
import type { CallerCheck } from '../../lib/http/caller.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { notebookResponse } from '../../lib/http/notebook-response.ts';
import { EndWait, preferenceApplied } from '../../lib/http/prefer.ts';
import { retryAfter } from '../../lib/http/retry-after.ts';
import type { LiveParts } from '../../lib/http/run-function.ts';
import type { Admission, Admitted } from '../../lib/queue/admission.ts';
import { isAllowedUrl, type AllowedHosts } from '../../lib/outgoing/allowed-hosts.ts';
import { callbackWrites } from '../../lib/queue/callbacks.ts';
import type { JobSnapshot, NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import type { ResultStore } from '../../lib/queue/result-store.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { hostNotAllowed, notAccepted, unknownPool } from './refusals.ts';

export interface AcceptParts {
  callers: CallerCheck;
  admission: Pick<Admission, 'admit'>;
  queue: Pick<NbexecQueue, 'add' | 'find'>;
  store: Pick<ResultStore, 'sourceWrite' | 'getResult'>;
  live: Pick<LiveParts, 'watch'>;
  pools: Pools;
  apiUrl: string;
  sourceTtlSeconds: number;
  /** Where callbacks may go. */
  allowedHosts: AllowedHosts;
  courierQueue: string;
}

/** Makes a job of a notebook, or finds the one that it has become already, and answers with it. */
export async function accept(
  parts: AcceptParts,
  request: ApiRequest,
  owner: string,
  body: PostNotebookRequest,
  idempotencyKey: string | undefined,
): Promise<ApiReply> {
  const pool = poolFor(parts.pools, body);
  if (!pool) throw unknownPool(parts.pools, body);
  const { callback } = body;
  if (callback && !isAllowedUrl(parts.allowedHosts, new URL(callback.url))) throw hostNotAllowed();
  const fresh = newJobId(pool.queueName);
  // Before the job is there, so that its end cannot be missed; most are made under this id.
  using early = EndWait.begin(request, parts.live.watch, fresh);
  const admitted = await admit(parts, request, owner, body, fresh, idempotencyKey);
  const { jobId: id } = admitted;
  using late = id === fresh ? undefined : EndWait.begin(request, parts.live.watch, id);
  const wait = id === fresh ? early : late;
  if (admitted.exists) return answer(parts, request, await found(parts, request, wait, id), wait);
  const mayHaveEnded = !wait?.isSubscribed;
  const accepted = await add(parts, request, owner, body, admitted);
  request.log.info({ job_id: id, owner, kernel_name: body.kernel_name }, 'job accepted');
  try {
    const job = await wait?.ended(parts.queue, id, mayHaveEnded);
    return await answer(parts, request, job ?? accepted, wait);
  } catch (error) {
    // It is accepted, so that nothing may fail any more.
    request.log.warn({ err: error, job_id: id }, 'job accepted, but its end could not be waited for');
    return replyWith(parts, accepted, wait);
  }
}

async function admit(
  parts: AcceptParts,
  request: ApiRequest,
  owner: string,
  body: PostNotebookRequest,
  jobId: string,
  key: string | undefined,
): Promise<Admitted> {
  const { run, request: whole } = fingerprintsOf(body, queueNameOf(jobId));
  const idempotency = key === undefined ? undefined : { key, fingerprint: whole };
  const submission = { jobId, owner, fingerprint: run, coalesce: body.coalesce, idempotency };
  try {
    return await parts.admission.admit(submission);
  } catch (error) {
    request.log.warn({ err: error, job_id: jobId, owner }, 'job not accepted');
    throw notAccepted(error);
  }
}

/** Its notebook, whom to tell, and the job, all or nothing: a job on the queue can be fetched, and end, at once. */
async function add(
  parts: AcceptParts,
  request: ApiRequest,
  owner: string,
  body: PostNotebookRequest,
  { jobId, confirm }: Admitted,
): Promise<JobSnapshot> {
  const { courierQueue, sourceTtlSeconds } = parts;
  const data = dataOf(owner, body);
  try {
    const source = await parts.store.sourceWrite(jobId, body.ipynb, sourceTtlSeconds);
    const told = body.callback ? callbackWrites(jobId, body.callback, courierQueue, sourceTtlSeconds) : [];
    const added = await parts.queue.add(jobId, data, [source, ...told, ...confirm]);
    return { id: jobId, data, state: 'waiting', ...added };
  } catch (error) {
    request.log.warn({ err: error, job_id: jobId, owner }, 'job not accepted');
    throw notAccepted(error);
  }
}

async function found(
  parts: AcceptParts,
  request: ApiRequest,
  wait: EndWait | undefined,
  id: string,
): Promise<JobSnapshot> {
  try {
    const job = await (wait ? wait.ended(parts.queue, id) : parts.queue.find(id));
    if (job) return job;
    throw new Error('The job has just been removed');
  } catch (error) {
    request.log.warn({ err: error, job_id: id }, 'job not read');
    throw notAccepted(error);
  }
}

async function answer(
  parts: AcceptParts,
  request: ApiRequest,
  job: JobSnapshot,
  wait: EndWait | undefined,
): Promise<ApiReply> {
  const resultId = job.outcome?.result_id;
  try {
    const result = resultId ? await parts.store.getResult(job.id, resultId) : undefined;
    return replyWith(parts, job, wait, result);
  } catch (error) {
    request.log.warn({ err: error, job_id: job.id }, 'result not read');
    throw notAccepted(error);
  }
}

/** 200 is for those only who have asked to wait, and know that they may get it. */
function replyWith(parts: AcceptParts, job: JobSnapshot, wait?: EndWait, result?: string): ApiReply {
  const json = notebookResponse(job, parts.apiUrl, true, { result });
  const headers = {
    Location: json.self_url,
    ...retryAfter(job),
    ...(wait ? preferenceApplied(wait.waitSeconds) : {}),
  };
  return { status: wait && json.status === 'complete' ? 200 : 202, headers, json };
}

function dataOf(owner: string, body: PostNotebookRequest): NbexecJobData {
  return {
    version: 1,
    owner,
    kernel_name: body.kernel_name,
    timeout_seconds: body.timeout,
    enable_retry: body.enable_retry,
    ...(body.parameters === undefined ? {} : { parameters: body.parameters }),
    ...(body.cell_timeout === undefined ? {} : { cell_timeout_seconds: body.cell_timeout }),
    ...(body.priority === undefined ? {} : { priority: body.priority }),
    ...(body.tags === undefined ? {} : { tags: body.tags }),
    ...(body.callback === undefined ? {} : { callback: showCallback(body.callback) }),
  };
}
