import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import type { Pools } from '../../../lib/contract/pool.ts';
import type { JobSnapshot, NbexecQueue } from '../../../lib/queue/nbexec-queue.ts';
import type { OwnJobsCursor } from '../../../lib/queue/own-jobs.ts';
import { PoolQueues } from '../../../lib/queue/pool-queues.ts';

const POOLS: Pools = ['a', 'b', 'c'].map((queueName) => ({
  queueName,
  image: queueName,
  size: 'Small',
})) as unknown as Pools;

interface Listed extends OwnJobsCursor {
  /** Read, but too old to be shown. */
  isOver: boolean;
}

const isBehind = (job: OwnJobsCursor, after: OwnJobsCursor) =>
  job.enqueuedAtMs < after.enqueuedAtMs ||
  (job.enqueuedAtMs === after.enqueuedAtMs && job.jobId < after.jobId);

const inOrder = (jobs: Listed[]) => jobs.toSorted((x, y) => (isBehind(x, y) ? 1 : -1));

/** What NbexecQueue.listOwn promises, over a list in memory. */
const queueOf = (jobs: Listed[]) =>
  ({
    listOwn: async (_owner: string, limit: number, after?: OwnJobsCursor) => {
      const rest = inOrder(jobs).filter((job) => !after || isBehind(job, after));
      const page = rest.slice(0, limit);
      const last = rest.length > limit ? page.at(-1) : undefined;
      const shown = page.filter(({ isOver }) => !isOver);
      return {
        listed: shown.map((place) => ({ place, job: { id: place.jobId } as JobSnapshot })),
        ...(last && { next: { enqueuedAtMs: last.enqueuedAtMs, jobId: last.jobId } }),
      };
    },
  }) as unknown as NbexecQueue;

describe('the jobs of all pools', () => {
  const job = fc.record({
    pool: fc.constantFrom('a', 'b', 'c'),
    // Few times, so that many are at once.
    enqueuedAtMs: fc.integer({ min: 0, max: 6 }),
    isOver: fc.boolean(),
  });

  test('are listed page by page, newest first, each once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(job, { maxLength: 25 }),
        fc.integer({ min: 1, max: 5 }),
        async (made, limit) => {
          const all = made.map(({ pool, ...rest }) => ({ ...rest, jobId: newJobId(pool), pool }));
          const queues = new PoolQueues(POOLS, (name) => queueOf(all.filter(({ pool }) => pool === name)));
          const seen: string[] = [];
          let after: OwnJobsCursor | undefined;
          for (let pages = 0; pages <= all.length; pages++) {
            const page = await queues.listOwn('alice', limit, after);
            expect(page.jobs.length).toBeLessThanOrEqual(limit);
            seen.push(...page.jobs.map(({ id }) => id));
            after = page.next;
            if (!after) break;
          }
          expect(after).toBeUndefined();
          expect(seen).toEqual(inOrder(all.filter(({ isOver }) => !isOver)).map(({ jobId }) => jobId));
        },
      ),
    );
  });

  test('are asked of the queue that their id names, and of no other', async () => {
    const queues = new PoolQueues(
      POOLS,
      (name) => ({ find: async () => ({ id: name }) }) as unknown as NbexecQueue,
    );
    expect(await queues.find(newJobId('b'))).toEqual({ id: 'b' });
    expect(() => queues.find(newJobId('d'))).toThrow(/is no job of any pool/);
  });
});
