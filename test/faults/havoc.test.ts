import { expect, inject } from 'vitest';
import { FAULTS, slowestMs, wreakHavoc } from './havoc.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

const random = (jobs: number, everySeconds: number): Cell => ({
  fault: `random kill, stop or partition every ${everySeconds} s, ${jobs} jobs, 3 executors, 5 identities`,
  at: 'any',
  promised: '0 lost, 0 twice, 0 shared labs',
  small: true,
  timeoutMs: 900_000,
  async run(world: World) {
    const options = { faults: FAULTS, everyMs: everySeconds * 1_000, executors: 3, jobs, forMs: 600_000 };
    const counts = await wreakHavoc(world, { ...options, random: new Random(inject('faultSeed')) });
    console.log(`seed ${inject('faultSeed')}: ${JSON.stringify(counts)}`);
    const entries = await world.ledger.settled(60_000);
    expect(entries).toHaveLength(jobs);
    // Whoever loses its executor or lab again and again is given up; nothing else may have gone wrong.
    const reasons = new Set(entries.map(({ end }) => end?.job.error?.reason));
    expect(
      [...reasons].filter((reason) => ![undefined, 'executor_lost', 'lab_lost'].includes(reason)),
    ).toEqual([]);
    return slowestMs(world);
  },
});

faultMatrix([inject('faultScope') === 'small' ? random(150, 1) : random(2_000, 5)], { identities: 5 });
