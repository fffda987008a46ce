import { expect } from 'vitest';
import { lasting, quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, ended, onlyEnd } from './steps.ts';
import type { Kept, World } from './world.ts';

const died = async (kept: Kept): Promise<number> => {
  expect(await ended(kept)).toBe('SIGKILL');
  return performance.now();
};

/** Its executor is dead before it can take the job. */
const beforeJobs = (at: string, small = false): Cell => ({
  fault: 'kill -9 executor',
  at,
  promised: 'another holder within the TTL; the job waits and runs once',
  small,
  async run(world: World) {
    await world.ledger.submit(quick());
    const kept = await world.executor({ NOTEBURST_CRASHPOINTS: `${at}=kill` });
    const diedAt = await died(kept);
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    return elapsed(diedAt);
  },
});

const withJob = (at: string, attempts: number, small = false): Cell => ({
  fault: 'kill -9 executor',
  at,
  promised: attempts === 1 ? 'its end stands' : 'rerun within lock + 2 × stalled interval of a new holder',
  small,
  async run(world: World) {
    const kept = await world.executor({ NOTEBURST_CRASHPOINTS: `${at}=kill` });
    await world.healthy();
    await world.ledger.submit(lasting(0.3));
    const diedAt = await died(kept);
    const job = await onlyEnd(world);
    expect(job).toMatchObject({ success: true, attempts });
    expect(job.ipynb).toContain('ended');
    return elapsed(diedAt);
  },
});

const onTheWayOut = (at: string, small = false): Cell => ({
  fault: 'kill -9 executor',
  at,
  promised: 'the next holder cleans up; the job that waits runs once',
  small,
  async run(world: World) {
    const kept = await world.executor({ NOTEBURST_CRASHPOINTS: `${at}=kill` });
    await world.healthy();
    kept.executor.process.kill('SIGTERM');
    const diedAt = await died(kept);
    await world.ledger.submit(quick());
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    return elapsed(diedAt);
  },
});

faultMatrix([
  beforeJobs('s1'),
  beforeJobs('s2'),
  beforeJobs('s3', true),
  withJob('s4', 2, true),
  withJob('s5', 2),
  withJob('s6', 2, true),
  withJob('s7', 2, true),
  withJob('s8', 1, true),
  onTheWayOut('s9', true),
  onTheWayOut('s10'),
]);
