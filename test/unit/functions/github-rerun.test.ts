import { beforeEach, expect, test } from 'vitest';
import { webhook } from '../../../functions/github/webhook.ts';
import type { SuiteJobData } from '../../../lib/contract/suite-job.ts';
import type { ApiRequest } from '../../../lib/http/handler.ts';
import { delivery, pushDelivery, rerunDelivery, WEBHOOK_SECRET } from '../../support/github-deliveries.ts';
import { capturedLog } from '../../support/log.ts';

const REPOSITORY = 'team/tutorials';
const COMMIT = 'c'.repeat(40);
const known = new Set<string>();
const added: SuiteJobData[] = [];
beforeEach(() => {
  known.clear();
  added.length = 0;
});

const parts = {
  repositories: [REPOSITORY],
  webhookSecrets: [WEBHOOK_SECRET],
  queue: {
    taken: async (digests: readonly string[]) => digests.map((digest) => known.has(digest)),
    remember: async (digest: string) => void known.add(digest),
    add: async (_kind: string, _id: string, data: object, digests: readonly string[]) => {
      added.push(data as SuiteJobData);
      for (const digest of digests) known.add(digest);
    },
  },
};

/** @returns what it is answered, or why it is refused */
async function send(...args: Parameters<typeof delivery>): Promise<string> {
  const { headers, body } = delivery(...args);
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const request = { headers: Object.fromEntries(lower), body: Buffer.from(body), log: capturedLog().log };
  try {
    const { json } = await webhook(parts, request as unknown as ApiRequest);
    return (json as { status: string }).status;
  } catch (error) {
    return (error as Error).message;
  }
}
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

test.each(['check_run', 'check_suite'] as const)(
  'somebody clicks "Re-run" of a %s: what was run is run once more',
  async (of) => {
    await send('push', pushDelivery(REPOSITORY, COMMIT));
    expect(await send(of, rerunDelivery(of, REPOSITORY, COMMIT))).toBe('accepted');
    const [push, rerun] = added;
    expect(rerun).toMatchObject({ event: 'rerun', commit: COMMIT, installation: 55, pull_request: 7 });
    expect(rerun).toMatchObject({ branch: 'tickets/DM-1', base: 'develop' });
    expect(rerun?.run).not.toBe(push?.run);
  },
);

test('each click counts once, and what was run again can be run again', async () => {
  const updated = daysAgo(0.1);
  const first = rerunDelivery('check_run', REPOSITORY, COMMIT, { updated });
  expect(await send('check_run', first)).toBe('accepted');
  expect(await send('check_run', first)).toBe('This was delivered before');
  expect(await send('check_run', { ...first, sender: { login: 'b', id: 3 } })).toBe('known');
  // The check run that came of it, and the same one when its suite has gone on.
  for (const next of [{ updated, check: 6 }, {}])
    expect(await send('check_run', rerunDelivery('check_run', REPOSITORY, COMMIT, next))).toBe('accepted');
  expect(new Set(added.map(({ run }) => run)).size).toBe(3);
});

test.each([
  [27, 'accepted'],
  [29, 'What it tells of is too long ago'],
])('what was run %i days ago: %s', async (days, answer) => {
  const payload = rerunDelivery('check_suite', REPOSITORY, COMMIT, { updated: daysAgo(days) });
  expect(await send('check_suite', payload)).toBe(answer);
});

test.each([
  ['other news of a check', { action: 'completed' }],
  ['a commit of another repository', { branch: null }],
])('%s asks for nothing', async (_, more) => {
  for (const of of ['check_run', 'check_suite'] as const)
    expect(await send(of, rerunDelivery(of, REPOSITORY, COMMIT, more))).toBe('ignored');
  expect(added).toEqual([]);
});
