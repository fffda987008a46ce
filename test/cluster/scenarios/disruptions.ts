import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EXECUTORS, until, type Cluster } from '../support/cluster.ts';
import { inNamespace } from '../support/kubernetes.ts';
import { report, seen } from '../support/timeline.ts';

/** What operators and nodes do to pods. */
export function disruptions(cluster: () => Cluster): void {
  const running = (id: string) =>
    until(`${id} runs a cell`, 120_000, async () => (await cluster().job(id)).phase === 'running');

  test('an executor that is to go while it starts goes at once', async () => {
    await cluster().asleep();
    await cluster().pause(1);
    const { name } = await seen(() => cluster().api.pods('executor'));
    await until(
      'its container runs',
      60_000,
      async () => {
        const [pod] = await cluster().api.pods('executor');
        return pod?.status.phase === 'Running';
      },
      10,
    );
    const begunAt = Date.now();
    await inNamespace('delete', 'pod', name, '--timeout=20s');
    expect((await cluster().api.pods('executor')).map(({ metadata }) => metadata.name)).not.toContain(name);
    report('an executor deleted while it starts', { 'until it has gone': Date.now() - begunAt });
    await cluster().resume();
    await cluster().asleep();
  });

  test('a pod deleted by force mid-notebook: the job ends once, elsewhere', async () => {
    const id = await cluster().submit(['import time; time.sleep(10)']);
    await running(id);
    const [pod] = await cluster().api.pods('executor');
    const deletedAt = Date.now();
    await inNamespace('delete', 'pod', pod?.metadata.name ?? '', '--force', '--grace-period=0');
    const job = await cluster().ended(id, 180_000);
    expect(job).toMatchObject({ success: true, attempts: 2 });
    expect(job.environment?.executor).not.toBe(pod?.metadata.name);
    expect((await cluster().ends()).get(id)).toBe(1);
    report('a pod deleted by force', {
      'until its notebook of 10 s has ended elsewhere': Date.now() - deletedAt,
    });
  });

  test('a rolling update under load loses nothing, and fails no request', async () => {
    const ids: string[] = [];
    const loading = new AbortController();
    const load = async () => {
      while (!loading.signal.aborted) {
        ids.push(await cluster().submit(['import time; time.sleep(1)']));
        await cluster().job(ids.at(-1) as string);
        await sleep(250);
      }
    };
    const loaded = load();
    await until('executors work', 120_000, async () => (await cluster().ends()).has(ids[0] ?? ''));
    const begunAt = Date.now();
    await inNamespace('rollout', 'restart', 'deployment', EXECUTORS);
    for (const name of ['submit', 'status']) {
      const template = { metadata: { annotations: { 'noteburst.lsst.io/restarted-at': String(begunAt) } } };
      const patch = JSON.stringify({ spec: { template } });
      await inNamespace('patch', 'ksvc', name, '--type=merge', '-p', patch);
    }
    await inNamespace('rollout', 'status', 'deployment', EXECUTORS, '--timeout=170s');
    await inNamespace('wait', 'ksvc', '--all', '--for=condition=Ready', '--timeout=120s');
    const updatedAt = Date.now();
    loading.abort();
    // Rejects if any request failed.
    await loaded;
    for (const id of ids)
      expect(await cluster().ended(id, 180_000)).toMatchObject({ success: true, attempts: 1 });
    const ends = await cluster().ends();
    expect(ids.filter((id) => ends.get(id) !== 1)).toEqual([]);
    report(`a rolling update under load (${ids.length} notebooks)`, {
      'until all pods are new': updatedAt - begunAt,
    });
  });
}
