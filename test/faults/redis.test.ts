import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { lasting, quick } from './notebooks.ts';
import { faultMatrix, type Cell } from './matrix.ts';
import { elapsed, ended, holdAt, onlyEnd, RECOVERY_MS, until } from './steps.ts';
import { LEASE_TTL_MS, type World } from './world.ts';

const BEFORE_READY = ['s1', 's2', 's3'];

/** Lets an executor come to the step with a job in the queue, and breaks Redis there. */
async function breakRedisAt(at: string, world: World, fault: () => Promise<void>) {
  const hold = holdAt(world, at);
  const submit = () => world.ledger.submit(lasting(0.3));
  if (BEFORE_READY.includes(at)) await submit();
  const kept = await world.executor(hold.env);
  if (!BEFORE_READY.includes(at)) {
    await world.healthy();
    await submit();
  }
  await hold.reached();
  const brokenAt = performance.now();
  const repaired = fault();
  hold.go();
  return { kept, brokenAt, repaired };
}

const freeze = async ({ redis }: World): Promise<void> => {
  redis.freeze();
  await sleep(LEASE_TTL_MS + 1_500);
  redis.thaw();
};

/** Nothing that was answered is lost with the process: with `everysec` it may be, while the disk is slow. */
async function flushAlways({ redis: { url } }: World): Promise<void> {
  const redis = new Redis(url);
  await redis.config('SET', 'appendfsync', 'always');
  redis.disconnect();
}

const killAndStart = async ({ redis }: World): Promise<void> => {
  await redis.kill();
  await sleep(500);
  await redis.start();
};

const frozen = (at: string, small = false): Cell => ({
  fault: 'SIGSTOP Redis past the TTL',
  at,
  promised: 'self-eviction by the deadline; nothing lost',
  small,
  async run(world: World) {
    const { kept, brokenAt, repaired } = await breakRedisAt(at, world, () => freeze(world));
    // Whoever has no lease yet has none to lose.
    if (at !== 's1') expect(await ended(kept)).toBe('exit code 1');
    await repaired;
    expect(await onlyEnd(world, RECOVERY_MS + 4_000)).toMatchObject({ success: true });
    return elapsed(brokenAt);
  },
});

const killed = (at: string, small = false): Cell => ({
  fault: 'Redis killed (AOF) and back',
  at,
  promised: 'every accepted job ends once',
  small,
  async run(world: World) {
    await flushAlways(world);
    const { brokenAt, repaired } = await breakRedisAt(at, world, () => killAndStart(world));
    await repaired;
    expect(await onlyEnd(world, RECOVERY_MS + 4_000)).toMatchObject({ success: true });
    return elapsed(brokenAt);
  },
});

const BALLAST_BYTES = 64 * 2 ** 20;

/** @param share of the memory that is used, as a fraction of what there may be */
async function withMemoryUsed(world: World, share: number, during: () => Promise<void>): Promise<void> {
  const redis = new Redis(world.redis.url);
  try {
    // Beside it, what jobs and connections take is small, as in a Redis of a usual size.
    await redis.setrange('ballast', BALLAST_BYTES, 'x');
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    await redis.config('SET', 'maxmemory', String(Math.ceil(used / share)));
    await during();
  } finally {
    await redis.config('SET', 'maxmemory', '0');
    await redis.del('ballast');
    redis.disconnect();
  }
}

const full = (at: string, share: number, small = false): Cell => ({
  fault: `Redis ${share * 100} % full`,
  at,
  promised: share < 1 ? '503; the running job still commits' : '503; the job ends once when there is room',
  small,
  async run(world: World) {
    const hold = holdAt(world, 's6');
    await world.executor(hold.env);
    await world.healthy();
    await world.ledger.submit(lasting(2));
    await hold.reached();
    hold.go();
    const fullAt = performance.now();
    await withMemoryUsed(world, share, async () => {
      // How full it is is asked for once a second.
      await until(async () => (await world.ledger.submit(quick())) === undefined, 'it is refused', 3_000);
      expect([...world.ledger.refusals.keys()]).toEqual([503]);
      if (share < 1) await world.ledger.settled(6_000);
      else await sleep(2_000);
    });
    for (const { end } of await world.ledger.settled(RECOVERY_MS))
      expect(end?.job).toMatchObject({ success: true });
    return elapsed(fullAt);
  },
});

/** It is on its way out; whoever comes after it finds all in order, or puts it so. */
const onTheWayOut = (fault: string, at: string, breakRedis: (world: World) => Promise<void>): Cell => ({
  fault,
  at,
  promised: 'leaves in bounded time; the next holder is healthy',
  async run(world: World) {
    await flushAlways(world);
    const hold = holdAt(world, at);
    const kept = await world.executor(hold.env);
    await world.healthy();
    kept.executor.process.kill('SIGTERM');
    await hold.reached();
    const brokenAt = performance.now();
    const repaired = breakRedis(world);
    hold.go();
    await ended(kept);
    await repaired;
    // The function has its connection back a moment after Redis is there; until then it tells its caller to come again.
    await until(() => world.ledger.submit(quick()), 'it is accepted', 5_000);
    expect(await onlyEnd(world)).toMatchObject({ success: true, attempts: 1 });
    return elapsed(brokenAt);
  },
});

faultMatrix([
  ...['s1', 's2', 's3', 's4', 's5'].map((at) => frozen(at)),
  frozen('s6', true),
  frozen('s7'),
  frozen('s8'),
  ...['s1', 's2', 's3', 's4', 's5', 's6'].map((at) => killed(at)),
  killed('s7', true),
  killed('s8'),
  ...['s9', 's10'].map((at) => onTheWayOut('SIGSTOP Redis past the TTL', at, freeze)),
  ...['s9', 's10'].map((at) => onTheWayOut('Redis killed (AOF) and back', at, killAndStart)),
  full('submit, s6', 0.9, true),
  full('submit, s6', 1),
]);
