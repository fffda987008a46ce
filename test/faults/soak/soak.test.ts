import { expect, inject } from 'vitest';
import { slowestMs, wreakHavoc, WORSE_FAULTS } from '../havoc.ts';
import { faultMatrix, type Cell } from '../matrix.ts';
import { Random } from '../random.ts';
import type { World } from '../world.ts';

const MINUTE_MS = 60_000;

const soak = (minutes: number): Cell => ({
  fault: `soak: any fault every 5 s for ${minutes} minutes, 3 executors, 5 identities`,
  at: 'any',
  promised: '0 lost, 0 twice, 0 shared labs',
  timeoutMs: (minutes + 5) * MINUTE_MS,
  async run(world: World) {
    const random = new Random(inject('faultSeed'));
    const counts = await wreakHavoc(world, {
      faults: WORSE_FAULTS,
      everyMs: 5_000,
      executors: 3,
      jobs: Infinity,
      forMs: minutes * MINUTE_MS,
      random,
    });
    const entries = await world.ledger.settled(2 * MINUTE_MS);
    console.log(`seed ${inject('faultSeed')}: ${entries.length} jobs, ${JSON.stringify(counts)}`);
    expect(entries.length).toBeGreaterThan(minutes * 50);
    return slowestMs(world);
  },
});

faultMatrix([soak(inject('soakMinutes'))], { identities: 5 });
