import { setTimeout as sleep } from 'node:timers/promises';
import { lasting } from './notebooks.ts';
import type { Random } from './random.ts';
import { LEASE_TTL_MS, type Kept, type World } from './world.ts';

/** Something that goes wrong, and is right again when this resolves. */
type Fault = (world: World, kept: Kept, random: Random) => Promise<void>;

/** From a hiccup that nobody should notice to what costs a lease. */
const aWhile = (random: Random): Promise<void> => sleep(random.between(300, 2 * LEASE_TTL_MS));

/** What happens to executors and their network. */
export const FAULTS: Record<string, Fault> = {
  kill: async (_, { executor }) => executor.process.kill('SIGKILL'),
  async stop(_, { executor }, random) {
    executor.process.kill('SIGSTOP');
    await aWhile(random);
    executor.process.kill('SIGCONT');
  },
  async partition(_, { proxy }, random) {
    proxy.partition();
    await aWhile(random);
    proxy.heal();
  },
};

/** What else can happen in a bad hour. */
export const WORSE_FAULTS: Record<string, Fault> = {
  ...FAULTS,
  reset: async (_, { proxy }) => proxy.cut(),
  terminate: async (_, { executor }) => executor.process.kill('SIGTERM'),
  async freezeRedis(world, _, random) {
    world.redis.freeze();
    await aWhile(random);
    world.redis.thaw();
  },
  async killRedis(world) {
    await world.redis.kill();
    await world.redis.start();
  },
  async partitionFunctions(world, _, random) {
    world.functionProxy.partition();
    await aWhile(random);
    world.functionProxy.heal();
  },
};

export interface HavocOptions {
  faults: Record<string, Fault>;
  everyMs: number;
  executors: number;
  /** At most so many jobs, and for at most so long. */
  jobs: number;
  forMs: number;
  random: Random;
}

/** So many that none waits for others in vain, and not so many that the queue says no. */
const OPEN_AT_ONCE = 60;
const USERS = ['alice', 'bob', 'carol', 'dave'];

/**
 * Submits jobs while things go wrong, then lets everything recover.
 *
 * @returns how often each fault happened
 */
export async function wreakHavoc(world: World, options: HavocOptions): Promise<Record<string, number>> {
  const { faults, everyMs, random, jobs, forMs } = options;
  const kept: Kept[] = [];
  for (let n = 0; n < options.executors; n++) kept.push(await world.executor());
  await world.healthy(90_000);
  const until = performance.now() + forMs;
  const counts: Record<string, number> = {};
  const over = new AbortController();
  const havoc = (async () => {
    while (!over.signal.aborted) {
      await sleep(everyMs, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return;
      const [name, fault] = random.oneOf(Object.entries(faults));
      counts[name] = (counts[name] ?? 0) + 1;
      await fault(world, random.oneOf(kept), random);
    }
  })();
  try {
    while (world.ledger.entries.size < jobs && performance.now() < until) {
      const room = Math.min(OPEN_AT_ONCE - world.ledger.open.length, jobs - world.ledger.entries.size);
      await Promise.all(
        Array.from({ length: Math.max(0, Math.min(room, 10)) }, () =>
          world.ledger.submit(lasting(random.between(0, 300) / 1_000), {}, random.oneOf(USERS)),
        ),
      );
      await sleep(20);
    }
  } finally {
    over.abort();
    await havoc;
  }
  return counts;
}

/** The longest time from a job's acceptance to its end. */
export const slowestMs = ({ ledger }: World): number =>
  Math.max(...[...ledger.entries.values()].map((entry) => (entry.end?.seenAtMs ?? 0) - entry.acceptedAtMs));
