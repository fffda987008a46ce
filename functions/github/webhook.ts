import { hash } from 'node:crypto';
import { verify } from '@octokit/webhooks-methods';
import { isAllowedRepository, type GithubRepositories } from '../../lib/config/github-env.ts';
import { askedBy, type Asked } from '../../lib/contract/github-deliveries.ts';
import { parseBoundedJson } from '../../lib/contract/json.ts';
import { suiteJobData, suiteJobId, type SuiteJobData } from '../../lib/contract/suite-job.ts';
import type { ApiReply, ApiRequest } from '../../lib/http/handler.ts';
import { HttpError, unavailable } from '../../lib/http/http-error.ts';
import type { BodyRules } from '../../lib/http/request-body.ts';
import { commitRunId, rerunId } from '../../lib/queue/run-id.ts';
import type { SuiteQueue } from '../../lib/queue/suite-queue.ts';

export interface WebhookParts {
  queue: Pick<SuiteQueue, 'taken' | 'remember' | 'add'>;
  repositories: GithubRepositories;
  webhookSecrets: readonly string[];
}

const MAX_BYTES = 25 * 1024 * 1024;
/**
 * GitHub sends no larger ones, and none with an encoding: nothing is inflated for those who have signed nothing, and together they
 * take no more memory than a few of the largest.
 */
export const WEBHOOK_BODIES: BodyRules = {
  maxBytes: MAX_BYTES,
  inflates: false,
  maxBytesAtOnce: 4 * MAX_BYTES,
};
/** As long as GitHub lets people deliver one again. What is older is not taken, so that nothing has to be remembered for ever. */
const FRESH_MS = 3 * 86_400_000;
/** GitHub does not say when somebody asked for another run: only how old what was run is. Less long than it is remembered. */
const FRESH_AGAIN_MS = 28 * 86_400_000;
/** How far clocks may differ. */
const SKEW_MS = 300_000;

/**
 * `POST /github/webhook`: what GitHub tells of repositories becomes runs of their suites. A run is of a commit: what tells of the
 * same one twice, a merge and its push, asks for one. Who clicks "Re-run" asks for another.
 *
 * @throws {HttpError} 401 for what GitHub has not signed, 409 for what it has, and was sent before
 */
export async function webhook(parts: WebhookParts, request: ApiRequest): Promise<ApiReply> {
  const delivery = headerOf(request, 'x-github-delivery');
  const event = headerOf(request, 'x-github-event');
  try {
    await assertGenuine(parts.webhookSecrets, request);
    const asked = askedIn(request, event);
    const answer = asked ? await take(parts, request, asked) : 'ignored';
    request.log.info({ delivery, event, repository: asked?.repository, answer }, 'delivery');
    return { status: 202, json: { status: answer } };
  } catch (error) {
    if (error instanceof HttpError)
      request.log.warn({ delivery, event, status: error.status, why: error.message }, 'delivery refused');
    throw error;
  }
}

async function assertGenuine(secrets: readonly string[], { headers, body }: ApiRequest): Promise<void> {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw refusal(415, 'unsupported_media_type', 'The webhook should have the content type application/json');
  const signature = headers['x-hub-signature-256'];
  // Bytes that are no UTF-8 become others, which nobody has signed.
  const text = body.toString('utf8');
  const isSigned = typeof signature === 'string' && signature !== '' && text !== '';
  const genuine = isSigned ? await Promise.all(secrets.map((secret) => verify(secret, text, signature))) : [];
  if (!genuine.includes(true)) throw refusal(401, 'invalid_signature', 'The signature is not right');
}

function askedIn({ body }: ApiRequest, event: string): Asked | undefined {
  try {
    return askedBy(event, parseBoundedJson(body.toString('utf8')));
  } catch {
    throw refusal(422, 'value_error', 'This is no delivery of a GitHub App as it is documented');
  }
}

async function take(
  parts: WebhookParts,
  request: ApiRequest,
  { atMs, again, ...asked }: Asked,
): Promise<string> {
  if (!isAllowedRepository(parts.repositories, asked.repository)) return 'not configured';
  const age = Date.now() - atMs;
  // Not a number, when it is no date.
  if (!(age < (again === undefined ? FRESH_MS : FRESH_AGAIN_MS) && age > -SKEW_MS))
    throw refusal(409, 'too_old', 'What it tells of is too long ago');
  const bytes = hash('sha256', request.body, 'hex');
  const { repository, commit } = asked;
  const run = again === undefined ? commitRunId(repository, commit) : rerunId(repository, commit, again);
  const [isReplayed, isKnown] = await fromRedis(request, () => parts.queue.taken([bytes, run]));
  if (isReplayed) throw refusal(409, 'known_delivery', 'This was delivered before');
  const data: SuiteJobData = suiteJobData.parse({ ...asked, version: 1, run });
  if (isKnown) {
    // So that its replay is refused, and seen in the log, as that of any other.
    await fromRedis(request, () => parts.queue.remember(bytes));
    return 'known';
  }
  await fromRedis(request, () => parts.queue.add('suite', suiteJobId(run), data, [bytes, run]));
  return 'accepted';
}

async function fromRedis<T>(request: ApiRequest, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    request.log.warn({ err: error }, 'delivery not taken: Redis did not answer');
    throw unavailable('The queue is not available, please try again');
  }
}

const refusal = (status: number, type: string, msg: string): HttpError =>
  new HttpError(status, { type, msg });

/** For the log, so that it is short, whatever was sent. */
function headerOf({ headers }: ApiRequest, name: string): string {
  const value = headers[name];
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value) ? value : 'unknown';
}
