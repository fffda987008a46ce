import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Fate } from './network.ts';
import { TTL_MS } from './platform-model.ts';
import { giveTimersToProcesses } from './processes.ts';
import { LOCK_MS } from './queue-model.ts';
import { World, type Guards } from './world.ts';

beforeAll(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  giveTimersToProcesses();
});
beforeEach(() => void vi.clearAllTimers());
afterAll(() => void vi.useRealTimers());

/** With all attempts that a job may lose, by lock after lock; most take a tenth of it. */
const SETTLES_WITHIN_MS = 10 * (TTL_MS + 2 * LOCK_MS);

type Command = fc.AsyncCommand<Record<string, never>, World>;

const command = (name: string, run: (world: World) => Promise<void> | void): Command => ({
  check: () => true,
  run: async (_, world) => {
    await run(world);
    await world.pass(250);
    expect(world.violations.join('; ')).toBe('');
  },
  toString: () => name,
});

const executor = fc.nat(2);
const time = fc.integer({ min: 250, max: 2 * TTL_MS });
const COMMANDS = [
  fc.boolean().map((retry) => command(`submit(${retry})`, (world) => world.submit(retry))),
  fc.nat(9).map((n) => command(`cancel(${n})`, (world) => world.cancel(n))),
  time.map((ms) => command(`pass(${ms})`, (world) => world.pass(ms))),
  executor.map((n) => command(`freeze(${n})`, (world) => world.executor(n).process.freeze())),
  executor.map((n) => command(`thaw(${n})`, (world) => world.executor(n).process.thaw())),
  fc.tuple(executor, time).map(([n, ms]) =>
    command(`nap(${n}, ${ms})`, async (world) => {
      const { process } = world.executor(n);
      process.freeze();
      await world.pass(ms);
      process.thaw();
    }),
  ),
  executor.map((n) => command(`kill(${n})`, (world) => world.executor(n).process.kill())),
  executor.map((n) => command(`stop(${n})`, (world) => world.executor(n).stop())),
  fc.constant(command('lose epochs', (world) => world.leases.loseEpochs())),
];

/** Quick as a rule; else late by up to more than a TTL, or lost. */
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ toMs: fc.nat(100), backMs: fc.nat(100) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      toMs: fc.nat(2 * TTL_MS),
      backMs: fc.nat(2_000),
      lost: fc.constantFrom(undefined, 'call', 'answer'),
    }),
  },
);

const ALL: Guards = { lock: true, recovery: true, fencing: true, redisTime: true, deadline: true };

/**
 * Whether all promises are kept, whatever happens.
 *
 * @param watched only this promise, if it is given
 */
function promises(guards: Guards, onEnd: (world: World) => void = () => undefined, watched = '') {
  return fc.asyncProperty(
    fc.array(fate, { minLength: 20, maxLength: 60 }),
    fc.commands(COMMANDS, { maxCommands: 20, size: 'max' }),
    async (fates, commands) => {
      vi.clearAllTimers();
      const world = new World(fates, guards, watched);
      for (let n = 0; n < 4; n++) world.submit(n > 0);
      await world.pass(4_000);
      await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
      await world.settle(SETTLES_WITHIN_MS);
      expect(world.violations.join('; ')).toBe('');
      onEnd(world);
    },
  );
}

test('each accepted job ends, once, under lease and lock, and no lab obeys an older holder', async () => {
  const seen = { attempts: 0, leases: 0, refusedCommits: 0, jobs: 0 };
  const count = ({ counts, queue }: World) => {
    seen.jobs += queue.jobs.size;
    seen.attempts += counts.attempts;
    seen.leases += counts.leases;
    seen.refusedCommits += counts.refusedCommits;
  };
  await fc.assert(promises(ALL, count), { numRuns: 400 });
  // Or nothing would have been shown.
  expect(seen.attempts).toBeGreaterThan(seen.jobs * 1.2);
  expect(seen.leases).toBeGreaterThan(1_000);
  expect(seen.refusedCommits).toBeGreaterThan(0);
}, 60_000);

test.each<[string, keyof Guards, string]>([
  ['ends are committed without the lock of the job', 'lock', 'I1'],
  ['nobody looks for jobs of executors that died', 'recovery', 'I2'],
  ['tokens of earlier holders live on', 'fencing', 'I3'],
  ['epochs are only counted', 'redisTime', 'I4'],
  ['the deadline of the lease is not heeded', 'deadline', 'I5'],
])(
  'control: where %s, a promise is broken',
  async (_, guard, broken) => {
    const property = promises({ ...ALL, [guard]: false }, undefined, broken);
    // Some take a few hundred before the right things coincide.
    const { failed, errorInstance } = await fc.check(property, { numRuns: 2_000, endOnFailure: true });
    expect(failed).toBe(true);
    expect(String(errorInstance)).toMatch(broken);
  },
  60_000,
);
