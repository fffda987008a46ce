import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairQueue } from '../support/fair-queue.ts';
import { redisOfFile } from '../support/redis.ts';

const file = await redisOfFile();

test('for any arrivals, who comes anew waits for one job of each other, who is there for two, and none is lost', async () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ add: fc.constantFrom('a', 'b', 'c'), times: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 4, arbitrary: fc.constant('run' as const) },
    { weight: 1, arbitrary: fc.constant('give back' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      await using fair = await FairQueue.open(file);
      const waiting = new Map<string, number>();
      const anew = new Set<string>();
      /** How many jobs of each other caller have been served while this one's head has waited. */
      const overtaken = new Map<string, Map<string, number>>();
      const served: string[] = [];
      const serve = async () => {
        const [name] = await fair.run(1);
        if (name === undefined) return;
        served.push(name);
        const owner = name.replace(/\d+$/, '');
        waiting.set(owner, (waiting.get(owner) ?? 0) - 1);
        overtaken.delete(owner);
        anew.delete(owner);
        for (const [other, count] of waiting) {
          if (other === owner || count <= 0) continue;
          const by = overtaken.get(other) ?? new Map<string, number>();
          overtaken.set(other, by.set(owner, (by.get(owner) ?? 0) + 1));
          expect(by.get(owner), `${other} behind ${owner}`).toBeLessThanOrEqual(anew.has(other) ? 1 : 2);
        }
      };
      for (const next of steps) {
        if (next === 'run') await serve();
        else if (next === 'give back') await (await fair.take())?.moveToWait('token');
        else {
          await fair.addMany(next.times, next.add);
          if (!waiting.has(next.add)) anew.add(next.add);
          waiting.set(next.add, (waiting.get(next.add) ?? 0) + next.times);
        }
      }
      while (served.length < fair.names.size) await serve();
      expect(served.toSorted()).toEqual([...fair.names.values()].toSorted());
    }),
    { numRuns: 25 },
  );
}, 60_000);
