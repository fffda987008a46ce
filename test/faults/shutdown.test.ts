import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { lasting, quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, ended, holdAt, onlyEnd, until } from './steps.ts';
import { stateOf, type Kept, type World } from './world.ts';

const BOUND_MS = 6_000;

/** Sees it go by itself, in time, with nothing left behind. */
async function leaves(kept: Kept, world: World): Promise<void> {
  await ends(kept);
  expect(await world.held()).toEqual([]);
}

async function ends(kept: Kept): Promise<void> {
  const begunAt = performance.now();
  await kept.executor.process.exited;
  expect(kept.executor.process.end).toBe('exit code 0');
  expect(elapsed(begunAt)).toBeLessThan(BOUND_MS);
}

const terminated = (at: string, seconds: number, small = false): Cell => ({
  fault: 'SIGTERM',
  at,
  promised:
    seconds < 1
      ? 'finishes within the grace'
      : 'interrupted after the grace, given back unspent, nothing left',
  small,
  async run(world: World) {
    const hold = holdAt(world, at);
    const kept = await world.executor(hold.env);
    await world.healthy();
    await world.ledger.submit(lasting(seconds));
    await hold.reached();
    kept.keep = false;
    kept.executor.process.kill('SIGTERM');
    // A signal takes its time, too: released before it, the executor would begin the job, and may.
    await until(async () => (await stateOf(kept.executor)) === 'draining', 'it drains');
    const begunAt = performance.now();
    hold.go();
    await leaves(kept, world);
    // What had not begun is not begun any more.
    const done = seconds < 1 && at !== 's4';
    if (done) expect(await onlyEnd(world, 1_000)).toMatchObject({ success: true, attempts: 1 });
    else {
      expect(world.ledger.open).toHaveLength(1);
      await world.executor();
      expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    }
    return elapsed(begunAt);
  },
});

const whileIn = (
  state: string,
  small: boolean,
  reach: (world: World) => Promise<{ kept: Kept; undo?: () => void }>,
): Cell => ({
  fault: 'SIGTERM',
  at: state,
  promised: 'leaves in bounded time; no lab, token or lease is left',
  small,
  async run(world: World) {
    const { kept, undo } = await reach(world);
    kept.keep = false;
    kept.executor.process.kill('SIGTERM');
    undo?.();
    // Another one that goes on has its lab.
    if (state === 'waiting') await ends(kept);
    else await leaves(kept, world);
    return undefined;
  },
});

const orphan = (state: 'active' | 'delayed', small = false): Cell => ({
  fault: `zero replicas with an orphan in ${state}`,
  at: '–',
  promised: 'still counted by KEDA’s query; recovered by whoever comes',
  small,
  async run(world: World) {
    const kept = await world.executor(state === 'active' ? { NOTEBURST_CRASHPOINTS: 's6=kill' } : {});
    await world.healthy();
    await world.ledger.submit(lasting(state === 'active' ? 0.3 : 2));
    if (state === 'active') kept.keep = false;
    else {
      // The second loss of its lab makes it wait.
      for (let loss = 0; loss < 2; loss++) {
        await until(() => executing(world), 'it runs');
        world.platform.hub(world.bot).restartLab();
      }
      await until(async () => (await countIn(world, 'delayed')) === 1, 'it is delayed');
      kept.keep = false;
      kept.executor.process.kill('SIGKILL');
    }
    await ended(kept);
    expect(await countIn(world, state)).toBe(1);
    const begunAt = performance.now();
    await world.executor();
    expect(await onlyEnd(world)).toMatchObject({ success: true });
    return elapsed(begunAt);
  },
});

/** Whether a cell of a notebook was executed in the lab of now. */
function executing(world: World): boolean {
  const lab = world.platform.hub(world.bot).lab?.id;
  return world.platform.commands.some((command) => command.action === 'execute' && command.lab === lab);
}

async function countIn(world: World, state: 'active' | 'delayed'): Promise<number> {
  const redis = new Redis(world.redis.url);
  try {
    const key = `${KEY_PREFIX}:${world.stack.queueName}:${state}`;
    return await (state === 'active' ? redis.llen(key) : redis.zcard(key));
  } finally {
    redis.disconnect();
  }
}

const afterCommit: Cell = {
  fault: 'SIGTERM',
  at: 's8',
  promised: 'its end stands',
  async run(world: World) {
    const hold = holdAt(world, 's8');
    const kept = await world.executor(hold.env);
    await world.healthy();
    await world.ledger.submit(quick());
    await hold.reached();
    kept.keep = false;
    kept.executor.process.kill('SIGTERM');
    hold.go();
    await leaves(kept, world);
    expect(await onlyEnd(world, 1_000)).toMatchObject({ success: true, attempts: 1 });
    return undefined;
  },
};

faultMatrix([
  terminated('s4', 0.3),
  terminated('s5', 0.3),
  terminated('s6', 0.3, true),
  terminated('s7', 0.3),
  terminated('s5', 3),
  terminated('s6', 3, true),
  whileIn('waiting', true, async (world) => {
    await world.executor();
    await world.healthy();
    const kept = await world.executor();
    await until(async () => (await stateOf(kept.executor)) === 'waiting', 'it waits');
    return { kept };
  }),
  whileIn('s3', true, async (world) => {
    world.platform.hub(world.bot).spawnMs = 60_000;
    const kept = await world.executor();
    await until(() => world.platform.hub(world.bot).pending === 'spawn', 'it spawns');
    return { kept, undo: () => void (world.platform.hub(world.bot).spawnMs = 20) };
  }),
  whileIn('idle', false, async (world) => {
    const kept = await world.executor();
    await world.healthy();
    return { kept };
  }),
  whileIn('s9', false, async (world) => {
    const hold = holdAt(world, 's9');
    const kept = await world.executor(hold.env);
    await world.healthy();
    kept.executor.process.kill('SIGTERM');
    await hold.reached();
    return { kept, undo: hold.go };
  }),
  orphan('active', true),
  orphan('delayed'),
  afterCommit,
]);
