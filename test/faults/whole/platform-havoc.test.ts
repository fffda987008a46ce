import { expect, inject } from 'vitest';
import { FAULTS, slowestMs, wreakHavoc } from '../havoc.ts';
import { faultMatrix, type Cell } from '../matrix.ts';
import { Random } from '../random.ts';
import type { World } from '../world.ts';

const random = (jobs: number): Cell => ({
  fault: `real platform: random kill, stop or partition every 20 s, ${jobs} jobs, 3 executors, 5 identities`,
  at: 'any',
  promised: '0 lost, 0 twice',
  timeoutMs: 1_200_000,
  async run(world: World) {
    const options = { faults: FAULTS, everyMs: 20_000, executors: 3, jobs, forMs: 900_000 };
    const counts = await wreakHavoc(world, { ...options, random: new Random(inject('faultSeed')) });
    console.log(`seed ${inject('faultSeed')}: ${JSON.stringify(counts)}`);
    const entries = await world.ledger.settled(120_000);
    expect(entries).toHaveLength(jobs);
    return slowestMs(world);
  },
});

faultMatrix([random(500)], { identities: 5, on: 'real' });
