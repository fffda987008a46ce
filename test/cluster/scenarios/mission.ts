import { expect, test } from 'vitest';
import { parseNotebook } from '../../../lib/contract/nbformat.ts';
import { EXECUTORS, until, type Cluster } from '../support/cluster.ts';
import { executorTimes, report, seen } from '../support/timeline.ts';

/** From nothing to a result, and back to nothing. */
export function mission(cluster: () => Cluster): void {
  test('a notebook comes back executed from nothing running, and everything is at zero again', async () => {
    const { api } = cluster();
    await cluster().asleep();
    const begunAt = Date.now();
    const pod = seen(() => api.pods('executor'));
    const id = await cluster().submit(['6 * 7']);
    const acceptedAt = Date.now();
    const job = await cluster().ended(id, 120_000);
    expect(job).toMatchObject({ status: 'complete', success: true, attempts: 1 });
    const { cells } = parseNotebook(job.ipynb ?? '');
    expect(cells).toMatchObject([
      { outputs: [{ output_type: 'execute_result', data: { 'text/plain': '42' } }] },
    ]);
    expect(acceptedAt - begunAt).toBeLessThan(2_000);
    const { name, atMs, scheduledMs } = await pod;
    const times = await executorTimes(api, name);
    const finishedAt = await cluster().finishedAt(id);
    report('from nothing to a result', {
      'submit, cold, through the gateway': acceptedAt - begunAt,
      'KEDA, until there is a pod': atMs - acceptedAt,
      scheduling: scheduledMs - atMs,
      'container, until our process starts': times.started - scheduledMs,
      'our start, until the executor listens': times.listening - times.started,
      'lease and fencing': times.spawning - times.listening,
      'spawn, until the lab serves': times.served - times.spawning,
      'the first warm kernel': times.taking - times.served,
      'cells and commit': finishedAt - times.taking,
      'all of it': finishedAt - begunAt,
    });
    const seconds = await cluster().asleep();
    report('back to zero', { 'after the result was read': seconds * 1_000 });
    await until('the Deployment is at zero', 10_000, async () => (await api.replicas(EXECUTORS)) === 0);
  });

  test('a request meets the pool that its size names', async () => {
    const id = await cluster().submit(['1'], { size: 'Small' });
    expect(await cluster().ended(id, 120_000)).toMatchObject({
      success: true,
      environment: { lab: 'bot-noteburst06' },
    });
    expect(await cluster().api.replicas(EXECUTORS)).toBe(0);
  });

  test('a cold request through the gateway takes less than 2 s', async () => {
    const times: number[] = [];
    for (let n = 0; n < 3; n++) {
      await until('no status runs', 120_000, async () => (await cluster().api.pods('status')).length === 0);
      const begun = performance.now();
      const pod = seen(() => cluster().api.pods('status'));
      const begunAt = Date.now();
      const response = await cluster().request('/v1/notebooks/nbexec-00000000000000000000000000000000');
      const took = performance.now() - begun;
      expect(response.status).toBe(404);
      const { name, atMs, scheduledMs } = await pod;
      const started = (await cluster().api.log(name, 'status')).find(({ msg }) => msg === 'listening');
      const ms = Number(started?.['ms']);
      const listening = new Date(started?.time ?? '').getTime();
      report(`cold request ${n + 1}`, {
        'activator and autoscaler, until there is a pod': atMs - begunAt,
        scheduling: scheduledMs - atMs,
        'container, until our process starts': listening - ms - scheduledMs,
        'our start, until it listens': ms,
        'probes and the request': begunAt + took - listening,
        'all of it': took,
      });
      times.push(took);
    }
    expect(Math.max(...times)).toBeLessThan(2_000);
  });
}
