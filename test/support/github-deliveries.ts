import { createHmac } from 'node:crypto';

export const WEBHOOK_SECRET = 'a secret that is a canary';

/** Deliveries in the form of those that GitHub sends to an app; what nobody reads is left out. */
const repository = (full_name: string) => ({
  id: 1,
  full_name,
  private: false,
  default_branch: 'main',
  pushed_at: Math.floor(Date.now() / 1_000),
});
const installation = { id: 55, node_id: 'MDIz' };

export const pushDelivery = (name: string, commit: string, more: object = {}) => ({
  ref: 'refs/heads/main',
  before: '0'.repeat(40),
  after: commit,
  created: false,
  deleted: false,
  forced: false,
  commits: [
    { id: commit, message: 'Change', author: { name: 'a' }, added: [], removed: [], modified: ['a.ipynb'] },
  ],
  head_commit: { id: commit, message: 'Change' },
  repository: repository(name),
  sender: { login: 'a', id: 2 },
  installation,
  ...more,
});

interface Pull {
  action?: string;
  merged?: boolean;
  /** `owner/name` of where it comes from. */
  from?: string;
}

export const pullRequestDelivery = (
  name: string,
  commit: string,
  { action = 'synchronize', merged = false, from = name }: Pull = {},
) => ({
  action,
  number: 7,
  pull_request: {
    number: 7,
    state: merged ? 'closed' : 'open',
    head: { sha: merged ? 'f'.repeat(40) : commit, ref: 'tickets/DM-1', repo: { full_name: from } },
    base: { ref: 'main', sha: '0'.repeat(40) },
    merged,
    merge_commit_sha: merged ? commit : null,
    updated_at: new Date().toISOString(),
  },
  repository: { ...repository(name), pushed_at: new Date().toISOString() },
  sender: { login: 'a', id: 2 },
  installation,
});

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
