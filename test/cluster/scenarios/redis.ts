import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { KEY_PREFIX } from '../../../lib/contract/nbexec-job.ts';
import { EXECUTORS, until, type Cluster } from '../support/cluster.ts';
import { report } from '../support/timeline.ts';

/** What is left in Redis wakes executors, and Redis itself may go. */
export function redis(cluster: () => Cluster): void {
  test.each(['active', 'delayed'] as const)(
    'a job left in %s at zero replicas wakes an executor',
    async (state) => {
      await cluster().asleep();
      await cluster().pause(0);
      const id = await cluster().submit(['1']);
      const connection = new Redis(cluster().redis.url, { maxRetriesPerRequest: null });
      const worker = new Worker('nbexec', null, {
        connection,
        prefix: KEY_PREFIX,
        autorun: false,
        lockDuration: 1_000,
      });
      try {
        const job = await worker.getNextJob('of-the-dead');
        expect(job?.id).toBe(id);
        if (state === 'delayed') await job?.moveToDelayed(Date.now() + 5_000, 'of-the-dead');
      } finally {
        await worker.close();
        connection.disconnect();
      }
      expect(await cluster().api.replicas(EXECUTORS)).toBe(0);
      const begunAt = Date.now();
      await cluster().resume();
      await until('an executor is wanted', 60_000, async () => (await cluster().api.replicas(EXECUTORS)) > 0);
      const wokenAt = Date.now();
      expect(await cluster().ended(id, 180_000)).toMatchObject({ success: true });
      expect((await cluster().ends()).get(id)).toBe(1);
      report(`a job in ${state}, nobody there`, {
        'until KEDA wakes an executor': wokenAt - begunAt,
        'until it has ended': Date.now() - begunAt,
      });
    },
  );

  test('Redis killed and back: no scaling to zero while it is away, nothing lost', async () => {
    const { api } = cluster();
    const ids = await Promise.all(
      Array.from({ length: 6 }, () => cluster().submit(['import time; time.sleep(5)'])),
    );
    await until('executors work', 120_000, async () => (await cluster().ends()).has(ids[0] as string));
    const before = await api.replicas(EXECUTORS);
    expect(before).toBeGreaterThan(0);
    await cluster().redis.kill();
    const killedAt = Date.now();
    const fewest: number[] = [];
    // Longer than the cooldown.
    while (Date.now() - killedAt < 40_000) {
      fewest.push(await api.replicas(EXECUTORS));
      await sleep(500);
    }
    expect(Math.min(...fewest)).toBeGreaterThanOrEqual(before);
    await cluster().redis.start();
    const backAt = Date.now();
    for (const id of ids) expect(await cluster().ended(id, 180_000)).toMatchObject({ success: true });
    const ends = await cluster().ends();
    expect(ids.filter((id) => ends.get(id) !== 1)).toEqual([]);
    report('Redis away for 40 s', { 'from its return until all have ended': Date.now() - backAt });
    // The labs of executors that lost their leases are left to the next holders of their bots.
    await cluster().gone(180_000);
  });
}
