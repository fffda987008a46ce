import type { Redis } from 'ioredis';
import { Webhook } from 'standardwebhooks';
import type { CallbackDelivery } from '../../../lib/contract/callback.ts';
import { callbackJobData } from '../../../lib/contract/courier-job.ts';
import { serviceMetadata } from '../../../lib/http/metadata.ts';
import { retryAfterMs } from '../../../lib/http/retry-after-ms.ts';
import { readTarget, writeDelivery, type CallbackTarget } from '../../../lib/queue/callbacks.ts';
import type { CourierHandler } from '../courier-queue.ts';
import { GivenUpError, RetryLaterError } from '../errors.ts';
import { OutgoingRefusedError } from '../outgoing/guarded-agent.ts';
import type { Outgoing, OutgoingAnswer } from '../outgoing/outgoing.ts';

export interface DeliverParts {
  redis: Redis;
  outgoing: Pick<Outgoing, 'post'>;
  /** How long it can be looked at what has become of a callback. */
  retentionSeconds: number;
}

/** As Standard Webhooks recommends. */
export const ATTEMPT_TIMEOUT_MS = 15_000;
const GONE = 410;

/**
 * Delivers messages as Standard Webhooks says (https://www.standardwebhooks.com): at least once, with the same
 * `webhook-id` each time.
 */
export function deliverer({ redis, outgoing, retentionSeconds }: DeliverParts): CourierHandler {
  return async ({ data, attempt, isLast }) => {
    const { job_id: jobId, body } = callbackJobData.parse(data);
    const target = await readTarget(redis, jobId);
    // It was told, and only nobody knew.
    if (!target) return;
    const last_attempt_time = new Date().toISOString();
    const { status, failure } = await send(outgoing, target, `msg_${jobId}`, body).then(judged, unanswered);
    const isFailed = isLast || failure instanceof GivenUpError;
    const delivery: CallbackDelivery = {
      state: failure ? (isFailed ? 'failed' : 'delivering') : 'delivered',
      attempts: attempt,
      last_attempt_time,
      ...(status !== undefined && { last_status: status }),
      ...(failure && { last_error: failure.message }),
    };
    await writeDelivery(redis, jobId, delivery, retentionSeconds);
    if (failure) throw failure;
  };
}

async function send(
  outgoing: DeliverParts['outgoing'],
  { url, secret }: CallbackTarget,
  id: string,
  body: string,
): Promise<OutgoingAnswer> {
  const now = new Date();
  const headers = {
    'content-type': 'application/json',
    'user-agent': `${serviceMetadata.name}/${serviceMetadata.version}`,
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, now, body),
  };
  return outgoing.post(url, { headers, body, signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS) });
}

/** How an attempt went; a failure is in words for the caller, with nothing of what was sent or answered. */
interface Verdict {
  status?: number;
  failure?: RetryLaterError | GivenUpError;
}

/** A redirect is no success: it could lead anywhere. */
function judged({ status, retryAfter }: OutgoingAnswer): Verdict {
  if (status >= 200 && status < 300) return { status };
  if (status === GONE)
    return { status, failure: new GivenUpError('The receiver answered 410: it wants no more') };
  return {
    status,
    failure: new RetryLaterError(`The receiver answered ${status}`, { afterMs: retryAfterMs(retryAfter) }),
  };
}

function unanswered(error: Error & { code?: string }): Verdict {
  if (error instanceof OutgoingRefusedError) return { failure: new GivenUpError(error.message) };
  const why =
    error.name === 'TimeoutError'
      ? `did not answer within ${ATTEMPT_TIMEOUT_MS / 1_000} s`
      : `could not be reached (${error.code ?? error.name})`;
  return { failure: new RetryLaterError(`The receiver ${why}`) };
}
