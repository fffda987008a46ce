import { expect } from 'vitest';
import { lasting, quick } from '../notebooks.ts';
import { faultMatrix, type Cell } from '../matrix.ts';
import { elapsed, holdAt, onlyEnd } from '../steps.ts';
import type { Kept, World } from '../world.ts';

// As in lab.test.ts, where nothing runs yet or any more; and with a SIGTERM, so that it may not go on to fence anew: then
// it cannot stop its lab (docs/adr/0011).

/** It begins anew with another token, once it has waited a little. */
const FENCED_ANEW_MS = 20_000;
const LEFT_MS = 6_000;
const LEAVES = 'leaves in bounded time, its lab to the next holder; the job ends once';

const beforeJobs = (at: string): Cell => ({
  fault: 'token revoked',
  at,
  promised: 'evict, fence anew; the job ends once',
  async run(world: World) {
    const hold = holdAt(world, at);
    await world.ledger.submit(quick());
    await world.executor(hold.env);
    await hold.reached();
    world.platform.revoke(world.bot);
    const revokedAt = performance.now();
    hold.go();
    expect(await onlyEnd(world, FENCED_ANEW_MS)).toMatchObject({ success: true, attempts: 1 });
    return elapsed(revokedAt);
  },
});

/** Sees it go with nothing left but its lab, and another do what is still to be done. */
async function leaves(world: World, { executor }: Kept): Promise<number> {
  const begunAt = performance.now();
  await executor.process.exited;
  expect(executor.process.end).toBe('exit code 0');
  expect(elapsed(begunAt)).toBeLessThan(LEFT_MS);
  expect((await world.held()).filter((what) => what !== `lab of ${world.bot}`)).toEqual([]);
  await world.executor();
  expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
  return elapsed(begunAt);
}

const terminated = (at: string): Cell => ({
  fault: 'token revoked, SIGTERM right after',
  at,
  promised: LEAVES,
  async run(world: World) {
    const hold = holdAt(world, at);
    await world.ledger.submit(lasting(0.3));
    const kept = await world.executor(hold.env);
    await hold.reached();
    kept.keep = false;
    world.platform.revoke(world.bot);
    kept.executor.process.kill('SIGTERM');
    hold.go();
    return leaves(world, kept);
  },
});

const whileStopping: Cell = {
  fault: 'token revoked',
  at: 's9',
  promised: LEAVES,
  async run(world: World) {
    const hold = holdAt(world, 's9');
    const kept = await world.executor(hold.env);
    await world.healthy();
    kept.keep = false;
    kept.executor.process.kill('SIGTERM');
    await hold.reached();
    await world.ledger.submit(quick());
    world.platform.revoke(world.bot);
    hold.go();
    return leaves(world, kept);
  },
};

faultMatrix([...['s2', 's3'].map(beforeJobs), ...['s2', 's3', 's6'].map(terminated), whileStopping]);
