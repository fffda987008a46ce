import { expect, test } from 'vitest';
import { schedulesKey } from '../../../lib/queue/github-keys.ts';
import { delivery, pullRequestDelivery } from '../../support/github-deliveries.ts';
import { notebookText } from '../../support/suite-notebooks.ts';
import { until, type Cluster } from '../support/cluster.ts';
import { gatewayUrl } from '../support/deployment.ts';
import { throughGateway } from '../support/gateway.ts';
import { inNamespace } from '../support/kubernetes.ts';
import { REPOSITORY } from '../support/outside.ts';
import { report, seen } from '../support/timeline.ts';

const SUITE = `include: ["**/*.ipynb"]
defaults: { kernel: python3, timeout: 2m }
schedules: [{ name: nightly, cron: "0 3 * * *" }]
`;

/** What wakes the courier, and GitHub's function. */
export function courier(cluster: () => Cluster): void {
  const replicas = () => cluster().api.replicas('courier');
  const webhook = async (event: string, payload: object, options = {}) =>
    throughGateway(
      await gatewayUrl(),
      'github',
      '/noteburst/github/webhook',
      delivery(event, payload, options),
    );

  test('whoever asked for it is told of the end of a job, by a courier that was not there before', async () => {
    await cluster().asleep();
    const { receiver } = cluster().outside;
    const id = await cluster().submit(['6 * 7'], { callback: receiver.callback });
    await cluster().ended(id, 120_000);
    const endedAt = await cluster().finishedAt(id);
    const [{ message }] = (await receiver.until(1, 60_000)) as [(typeof receiver.received)[0]];
    expect(message).toMatchObject({ data: { job_id: id, success: true } });
    expect(receiver.refused).toEqual([]);
    report('a callback', { 'after the end of its job': Date.now() - endedAt });
    await cluster().asleep();
    expect(await replicas()).toBe(0);
  });

  test('a merge becomes a check run with what failed where, from nothing running, and a forgery nothing', async () => {
    await cluster().asleep();
    const { git, github } = cluster().outside;
    const failing = notebookText(['a = 1', 'def f():\n    return a / 0\n\nf()']);
    const commit = git.commit({
      'noteburst.yaml': SUITE,
      'good.ipynb': notebookText(['print(6 * 7)']),
      'deep/failing.ipynb': failing,
    });
    const merge = pullRequestDelivery(REPOSITORY, commit, { action: 'closed', merged: true });
    const forged = await webhook('pull_request', merge, { secret: 'another secret' });
    expect(forged.status).toBe(401);
    expect(await replicas()).toBe(0);
    await cluster().asleep();
    const begunAt = Date.now();
    const pod = seen(() => cluster().api.pods('courier'));
    expect(await webhook('pull_request', merge)).toEqual({
      status: 202,
      text: expect.stringContaining('accepted'),
    });
    const answeredAt = Date.now();
    const { atMs } = await pod;
    const check = () => github.checkRuns.find(({ head_sha: sha }) => sha === commit);
    await until('the check run is there', 120_000, () => check() !== undefined);
    const shownAt = Date.now();
    await until('the check run has ended', 180_000, () => check()?.status === 'completed');
    const line = failing.split('\n').findIndex((text) => text.includes('return a / 0')) + 1;
    expect(check()).toMatchObject({
      conclusion: 'failure',
      output: {
        title: '1 failed, 1 passed',
        annotations: [{ path: 'deep/failing.ipynb', start_line: line }],
      },
    });
    report('from a merge to its check run', {
      'GitHub is answered, cold': answeredAt - begunAt,
      'KEDA, until there is a courier': atMs - answeredAt,
      'until the check run is shown': shownAt - atMs,
      'until it has ended, the lab spawned for it': Date.now() - shownAt,
      'all of it': Date.now() - begunAt,
    });
    expect((await webhook('pull_request', merge)).status).toBe(409);
    await cluster().asleep();
    expect(await replicas()).toBe(0);
  });

  test('the clock has the courier look at the schedules', async () => {
    const job = ['job', 'a-tick'];
    await inNamespace('create', ...job, '--from=cronjob/github-schedules');
    await inNamespace('wait', ...job, '--for=condition=Complete', '--timeout=90s');
    const marks = () => cluster().admin.hkeys(schedulesKey(REPOSITORY));
    await until('the courier has looked', 60_000, async () => (await marks()).length > 0);
    expect(await marks()).toEqual([expect.stringContaining('nightly')]);
    await inNamespace('delete', ...job);
    await cluster().asleep();
  });
}
