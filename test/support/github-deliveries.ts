/**
 * Deliveries that GitHub has made, as `@octokit/webhooks-examples` keeps them, of a repository of the tests: its name, its commits and
 * branches, and the times are put in.
 */
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';

export const WEBHOOK_SECRET = 'a secret that is a canary';

type Fields = Record<string, unknown>;
interface Payload extends Fields {
  action?: string;
  ref?: string;
  installation?: object;
  repository: Fields;
}

const require = createRequire(import.meta.url);
const definitions = require('@octokit/webhooks-examples') as {
  name: string;
  examples: Payload[];
}[];

/** The recorded deliveries of an event. */
export function recorded(event: string): Payload[] {
  const found = definitions.find(({ name }) => name === event);
  return structuredClone(found?.examples ?? []);
}

/** One that GitHub sent to an app. */
function sentToApp(event: string, is: (payload: Payload) => boolean): Payload {
  const found = recorded(event).find((payload) => payload.installation && is(payload));
  if (!found) throw new Error(`Of ${event} no such delivery was recorded`);
  return found;
}

const installation = { id: 55, node_id: 'MDIz' };
const ofTests = (repository: Fields, full_name: string) => ({
  ...repository,
  full_name,
  name: full_name.split('/')[1],
  default_branch: 'main',
});

export function pushDelivery(name: string, commit: string, more: object = {}) {
  const { head_commit: head, ...payload } = sentToApp('push', ({ ref = '' }) =>
    ref.startsWith('refs/heads/'),
  );
  const head_commit = { ...(head as Fields), id: commit };
  return {
    ...payload,
    ref: 'refs/heads/main',
    after: commit,
    commits: [head_commit],
    head_commit,
    repository: { ...ofTests(payload.repository, name), pushed_at: Math.floor(Date.now() / 1_000) },
    installation,
    ...more,
  };
}

interface Pull {
  action?: string;
  merged?: boolean;
  /** `owner/name` of where it comes from. */
  from?: string;
}

/** Of a merge none was recorded: it is one of what was closed, with the fields that say so. */
export function pullRequestDelivery(
  name: string,
  commit: string,
  { action = 'synchronize', merged = false, from = name }: Pull = {},
) {
  const payload = sentToApp('pull_request', (each) => each.action === action);
  const pull = payload['pull_request'] as Fields & { head: Fields & { repo: Fields }; base: Fields };
  const now = new Date().toISOString().replace(/\.\d+/, '');
  const repository = { ...ofTests(payload.repository, name), pushed_at: now };
  const { head, base } = pull;
  return {
    ...payload,
    number: 7,
    pull_request: {
      ...pull,
      number: 7,
      head: {
        ...head,
        ...(!merged && { sha: commit }),
        ref: 'tickets/DM-1',
        repo: { ...ofTests(head.repo, from), pushed_at: now },
      },
      base: { ...base, ref: 'main', repo: repository },
      updated_at: now,
      ...(merged && {
        merged: true,
        merged_at: now,
        merged_by: payload['sender'],
        merge_commit_sha: commit,
        mergeable: null,
      }),
    },
    repository,
    installation,
  };
}

interface Rerun {
  action?: string;
  /** Of the check run, and how the suite that it is in was before somebody clicked. */
  check?: number;
  updated?: string;
  branch?: string | null;
}

const pullsOf = (suite: unknown) =>
  (suite as { pull_requests: { head: Fields; base: Fields }[] }).pull_requests;

/** Somebody clicked "Re-run", of one check or of all that the app has on the commit. */
export function rerunDelivery(
  of: 'check_run' | 'check_suite',
  name: string,
  commit: string,
  {
    action = 'rerequested',
    check = 4,
    updated = new Date().toISOString(),
    branch = 'tickets/DM-1',
  }: Rerun = {},
) {
  const { check_run: run, check_suite, ...payload } = sentToApp(of, (each) => each.action === 'rerequested');
  // Those of check runs are older: they have no pull requests, and times in a form that is no more.
  const newer = sentToApp('check_suite', ({ check_suite: each }) => pullsOf(each).length > 0)['check_suite'];
  const [pull] = pullsOf(newer);
  const { app } = newer as Fields;
  const ran = run as (Fields & { check_suite: Fields }) | undefined;
  const suite = {
    ...(ran?.check_suite ?? (check_suite as Fields)),
    app,
    head_branch: branch,
    head_sha: commit,
    pull_requests: [
      {
        ...pull,
        number: 7,
        head: { ...pull?.head, ref: 'tickets/DM-1', sha: commit },
        base: { ...pull?.base, ref: 'develop' },
      },
    ],
    updated_at: updated,
  };
  return {
    ...payload,
    action,
    ...(ran
      ? { check_run: { ...ran, app, id: check, head_sha: commit, check_suite: suite } }
      : { check_suite: suite }),
    repository: ofTests(payload.repository, name),
    installation,
  };
}

/** A request as GitHub makes it; text is sent as it is. */
export function delivery(
  event: string,
  payload: object | string,
  { secret = WEBHOOK_SECRET, id = crypto.randomUUID() } = {},
) {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return {
    method: 'POST',
    body,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'GitHub-Hookshot/760256b',
      'X-GitHub-Delivery': id,
      'X-GitHub-Event': event,
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    } as Record<string, string>,
  };
}
