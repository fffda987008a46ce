/** What GitHub's deliveries ask for (https://docs.github.com/en/webhooks/webhook-events-and-payloads), as far as it is needed. */
import { z } from 'zod';
import type { SuiteJobData } from './suite-job.ts';

const sha = z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/);
const installation = z.object({ id: z.number().int().positive() });
const repository = z.object({ full_name: z.string().max(140), default_branch: z.string() });

const push = z.object({
  ref: z.string().max(1_000),
  after: sha,
  deleted: z.boolean(),
  installation,
  repository: repository.extend({ pushed_at: z.union([z.number(), z.string()]) }),
});

const pullRequest = z.object({
  action: z.string(),
  number: z.number().int().positive(),
  installation,
  repository,
  pull_request: z.object({
    head: z.object({ sha, ref: z.string(), repo: z.object({ full_name: z.string() }).nullable() }),
    base: z.object({ ref: z.string() }),
    merged: z.boolean().nullish(),
    merge_commit_sha: sha.nullish(),
    updated_at: z.string(),
  }),
});

/** Of a check run that is to be run again, and of the check suite of this app's on a commit: somebody clicked "Re-run". */
const checkSuite = z.object({
  id: z.number().int().positive(),
  head_sha: sha,
  head_branch: z.string().max(1_000).nullable(),
  pull_requests: z.array(
    z.object({ number: z.number().int().positive(), base: z.object({ ref: z.string() }) }),
  ),
  updated_at: z.string(),
});
const check = z.object({ action: z.string(), installation, repository });
const checkRunOf = check.extend({
  check_run: z.object({ id: z.number().int().positive(), check_suite: checkSuite }),
});
const checkSuiteOf = check.extend({ check_suite: checkSuite });

/** What is to be run, and when GitHub says it happened: that is signed, other than a delivery's id. */
export type Asked = Omit<SuiteJobData, 'version' | 'run'> & {
  atMs: number;
  /** Of what was run before: what tells this time from the others. */
  again?: string;
};

/** New code in a pull request. */
const CODE_CHANGED = new Set(['opened', 'synchronize', 'reopened']);
const BRANCH = 'refs/heads/';

/**
 * @param event as the header X-GitHub-Event has it
 * @returns undefined for what asks for nothing: other events, tags, deleted branches, what comes from other repositories
 * @throws {z.ZodError} when it is no delivery of this event
 */
export function askedBy(event: string, payload: unknown): Asked | undefined {
  if (event === 'push') return askedByPush(push.parse(payload));
  if (event === 'pull_request') return askedByPullRequest(pullRequest.parse(payload));
  if (event === 'check_run' || event === 'check_suite')
    return askedByCheck(event, check.parse(payload), payload);
  return undefined;
}

function askedByPush({
  ref,
  after,
  deleted,
  installation,
  repository,
}: z.infer<typeof push>): Asked | undefined {
  if (deleted || !ref.startsWith(BRANCH)) return undefined;
  const at = repository.pushed_at;
  return {
    event: 'push',
    repository: repository.full_name,
    commit: after,
    installation: installation.id,
    branch: ref.slice(BRANCH.length),
    base: repository.default_branch,
    atMs: typeof at === 'number' ? at * 1_000 : Date.parse(at),
  };
}

function askedByPullRequest(delivery: z.infer<typeof pullRequest>): Asked | undefined {
  const { action, number, installation, repository, pull_request: pull } = delivery;
  const common = {
    repository: repository.full_name,
    installation: installation.id,
    pull_request: number,
    base: pull.base.ref,
    atMs: Date.parse(pull.updated_at),
  };
  if (action === 'closed') {
    const merged = pull.merged === true ? pull.merge_commit_sha : undefined;
    return merged ? { ...common, event: 'merge', commit: merged, branch: pull.base.ref } : undefined;
  }
  // What strangers propose would run as the service's bot before anybody has looked at it.
  const isOwn = pull.head.repo?.full_name === repository.full_name;
  if (!isOwn || !CODE_CHANGED.has(action)) return undefined;
  return { ...common, event: 'pull_request', commit: pull.head.sha, branch: pull.head.ref };
}

/**
 * Nothing says when somebody clicked. What a click tells is known by the check and by how its suite was then, which changes with
 * each run.
 */
function askedByCheck(
  event: 'check_run' | 'check_suite',
  { action, installation, repository }: z.infer<typeof check>,
  payload: unknown,
): Asked | undefined {
  // Others are of checks that come and go; they are not looked at.
  if (action !== 'rerequested') return undefined;
  const { check_run: run } = event === 'check_run' ? checkRunOf.parse(payload) : {};
  const suite = run?.check_suite ?? checkSuiteOf.parse(payload).check_suite;
  // GitHub knows the branches of the repository itself only.
  if (suite.head_branch === null) return undefined;
  const [pull] = suite.pull_requests;
  return {
    event: 'rerun',
    repository: repository.full_name,
    commit: suite.head_sha,
    installation: installation.id,
    branch: suite.head_branch,
    base: pull?.base.ref ?? repository.default_branch,
    ...(pull && { pull_request: pull.number }),
    atMs: Date.parse(suite.updated_at),
    again: `${event}@${run?.id ?? suite.id}@${suite.updated_at}`,
  };
}
