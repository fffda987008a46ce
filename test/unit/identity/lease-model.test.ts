import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { leaseTimings } from '../../../workers/executor/identity/identity-lease.ts';
import { LeaseWorld, TTL_MS, type Executor, type Fate } from './lease-world.ts';

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
});
afterAll(() => void vi.useRealTimers());

const { marginMs: MARGIN_MS } = leaseTimings(TTL_MS);

/** What must be true whenever anybody looks. */
function look(world: LeaseWorld): void {
  const acting = world.executors.filter(({ acts }) => acts);
  expect(acting.filter((executor) => !world.keepsFor(executor)).length, 'whoever acts holds the lock').toBe(
    0,
  );
  expect(acting.length, 'holders').toBeLessThan(2);
  expect(world.epochs, 'epochs rise').toEqual([...new Set(world.epochs)].toSorted((a, b) => a - b));
}

type Model = Record<string, never>;
type Command = fc.AsyncCommand<Model, LeaseWorld>;

const command = (name: string, run: (world: LeaseWorld) => Promise<void> | void): Command => ({
  check: () => true,
  run: async (_, world) => {
    await run(world);
    look(world);
  },
  toString: () => name,
});

const of = (world: LeaseWorld, n: number): Executor =>
  world.executors[n % world.executors.length] as Executor;

const COMMANDS = [
  fc.nat(2).map((n) =>
    command(`acquire(${n})`, (world) => {
      const executor = of(world, n);
      if (!executor.acquiring && !executor.acts) executor.acquire();
    }),
  ),
  fc.nat(2).map((n) => command(`release(${n})`, (world) => of(world, n).release())),
  fc
    .integer({ min: 1, max: 20_000 })
    .map((ms) => command(`pass(${ms})`, (world) => world.pass(ms, () => look(world)))),
  // Everybody asks at once: what one holder loses the next one takes at the first opportunity.
  fc.integer({ min: 1, max: 40_000 }).map((ms) =>
    command(`freeze(${ms})`, async (world) => {
      world.freeze(ms);
      for (const executor of world.executors) if (!executor.acquiring && !executor.acts) executor.acquire();
      await world.pass(1_000, () => look(world));
    }),
  ),
];

/** Quick as a rule; else late by up to more than a TTL, or lost. */
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ toMs: fc.nat(100), backMs: fc.nat(100) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      toMs: fc.nat(TTL_MS + 5_000),
      backMs: fc.nat(TTL_MS),
      lost: fc.constantFrom(undefined, 'command', 'answer'),
    }),
  },
);

/** Clocks that are wrong by up to a tenth. */
const rate = fc.double({ min: 0.9, max: 1.1, noNaN: true });

interface Guards {
  marginMs: number;
  rates?: fc.Arbitrary<number>;
}

/** Whether executors that keep to their leases so ever get in each other's way. */
function leases({ marginMs, rates = rate }: Guards, onEnd: (world: LeaseWorld) => void = () => undefined) {
  return fc.asyncProperty(
    fc.array(rates, { minLength: 3, maxLength: 3 }),
    fc.array(fate, { minLength: 1, maxLength: 30 }),
    fc.commands(COMMANDS, { maxCommands: 40, size: 'max' }),
    async (all, fates, commands) => {
      vi.clearAllTimers();
      const world = new LeaseWorld(all, fates, marginMs);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
      onEnd(world);
    },
  );
}

test('no two executors ever act at once, and epochs rise, whatever network, clocks and schedulers do', async () => {
  let taken = 0;
  let lost = 0;
  const count = (world: LeaseWorld) => {
    taken += world.epochs.length;
    lost += world.losses;
  };
  await fc.assert(leases({ marginMs: MARGIN_MS }, count), { numRuns: 600 });
  // Or nothing would have been shown.
  expect(taken).toBeGreaterThan(300);
  expect(lost).toBeGreaterThan(150);
}, 60_000);

test('a lease that ran out while its epoch was asked for is none', async () => {
  vi.clearAllTimers();
  const world = new LeaseWorld([1, 1], [{ toMs: 10, backMs: 10 }], MARGIN_MS);
  const [slow, quick] = world.executors as [Executor, Executor];
  slow.acquire();
  await world.pass(500, () => undefined);
  slow.release();
  slow.acquire();
  await vi.advanceTimersByTimeAsync(35);
  world.freeze(TTL_MS + 1_000);
  quick.acquire();
  await world.pass(1_000, () => look(world));
  expect(quick.acts).toBe(true);
  expect(slow.lease).toBeUndefined();
});

test.each([
  ['without a margin for clocks that run slow', { marginMs: 0 }],
  ['counted from a late answer, not from when it was asked for', { marginMs: -3_000, rates: fc.constant(1) }],
  ['without a deadline', { marginMs: -1e9, rates: fc.constant(1) }],
])(
  'control: %s, somebody acts without the lock',
  async (_, guards) => {
    const { failed, errorInstance } = await fc.check(leases(guards), { numRuns: 2_000, endOnFailure: true });
    expect(failed).toBe(true);
    expect(String(errorInstance)).toMatch('whoever acts holds the lock');
  },
  60_000,
);

test('a holder without answers is evicted by its own timer, before Redis gives the identity away', async () => {
  const property = fc.asyncProperty(fc.nat(20_000), rate, async (heldMs, own) => {
    vi.clearAllTimers();
    const fates: Fate[] = [{ toMs: 1, backMs: 1 }];
    const world = new LeaseWorld([own], fates, MARGIN_MS);
    const [executor] = world.executors as [Executor];
    executor.acquire();
    await world.pass(1_000 + heldMs, () => undefined);
    fates[0] = { toMs: 1, backMs: 1, lost: 'command' };
    // Nobody asks it: only its timers run.
    while (world.keepsFor(executor)) await world.pass(250, () => undefined);
    expect(executor.lease?.lost.aborted).toBe(true);
  });
  await fc.assert(property, { numRuns: 30 });
}, 60_000);
