import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EXECUTORS, until, type Cluster } from '../support/cluster.ts';
import { report } from '../support/timeline.ts';

const IDENTITIES = 5;

/** A burst from nothing, and scaling in while long notebooks run. */
export function spike(cluster: () => Cluster): void {
  test('60 notebooks of 5 s in one second: 0 to 5 executors and no more, each notebook ends once', async () => {
    const { api } = cluster();
    await cluster().asleep();
    await cluster().request('/'); // the functions' cold start is measured elsewhere
    const begunAt = Date.now();
    let most = 0;
    let fullAt: number | undefined;
    /** Executors that were told to go. */
    const ending = new Set<string>();
    const watching = new AbortController();
    const watch = async () => {
      while (!watching.signal.aborted) {
        const all = await api.pods('executor');
        const pods = all.filter(({ metadata }) => !metadata.deletionTimestamp);
        most = Math.max(most, pods.length);
        for (const { metadata } of all) if (metadata.deletionTimestamp) ending.add(metadata.name);
        if (pods.length === IDENTITIES) fullAt ??= Date.now();
        await sleep(200);
      }
    };
    const watched = watch();
    const short = await Promise.all(
      Array.from({ length: 60 }, () => cluster().submit(['import time; time.sleep(5)'])),
    );
    const submittedAt = Date.now();
    expect(submittedAt - begunAt).toBeLessThan(5_000);
    await until('most have ended', 300_000, async () => (await cluster().ends()).size > 40);
    // They are under way while the others go.
    const long = await Promise.all(
      Array.from({ length: 4 }, () => cluster().submit(['import time; time.sleep(60)'])),
    );
    for (const id of short) expect(await cluster().ended(id, 300_000)).toMatchObject({ success: true });
    const endedAt = Math.max(...(await Promise.all(short.map((id) => cluster().finishedAt(id)))));
    await until('executors are scaled in', 120_000, async () => (await api.replicas(EXECUTORS)) < IDENTITIES);
    const running = await Promise.all(long.map((id) => cluster().job(id)));
    expect(running.filter(({ status }) => status === 'in_progress').length).toBeGreaterThan(0);
    const ran: string[] = [];
    for (const id of long) {
      const job = await cluster().ended(id, 180_000);
      expect(job).toMatchObject({ success: true, attempts: 1 });
      ran.push(job.environment?.executor ?? '');
    }
    // Some of them on executors that were told to go meanwhile.
    expect(ran.filter((executor) => ending.has(executor))).not.toEqual([]);
    watching.abort();
    await watched;
    expect(most).toBe(IDENTITIES);
    const ends = await cluster().ends();
    expect([...short, ...long].filter((id) => ends.get(id) !== 1)).toEqual([]);
    report('60 notebooks of 5 s, 3 at once in each of 5 labs', {
      'all 60 submitted': submittedAt - begunAt,
      '5 executors there': (fullAt ?? NaN) - begunAt,
      'all 60 ended': endedAt - begunAt,
    });
    report('back to zero', { 'after the last notebook': (await cluster().asleep()) * 1_000 });
  });
}
