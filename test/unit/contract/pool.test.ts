import { expect, test } from 'vitest';
import { newJobId } from '../../../lib/contract/nbexec-job.ts';
import { describePools, poolFor, poolOf, type Pools } from '../../../lib/contract/pool.ts';

const POOLS: Pools = [
  { queueName: 'nbexec', image: 'recommended', size: 'Large' },
  { queueName: 'nbexec-small', image: 'recommended', size: 'Small' },
  { queueName: 'weekly', image: 'latest-weekly', size: 'Small' },
];

test.each([
  [{}, 'nbexec'],
  [{ image: 'recommended' }, 'nbexec'],
  [{ size: 'Small' }, 'nbexec-small'],
  [{ image: 'recommended', size: 'Small' }, 'nbexec-small'],
  [{ image: 'latest-weekly' }, 'weekly'],
  [{ image: 'latest-weekly', size: 'Large' }, undefined],
  [{ image: 'weekly' }, undefined],
  [{ size: 'Medium' }, undefined],
  [{ image: '' }, undefined],
])('%j is asked of the pool %s', (wish, queueName) => {
  expect(poolFor(POOLS, wish)?.queueName).toBe(queueName);
});

test('a job is in the pool that its id names, also when one name begins with the other', () => {
  for (const pool of POOLS) expect(poolOf(POOLS, newJobId(pool.queueName))).toBe(pool);
  for (const id of [newJobId('other'), 'nbexec', '', 'nbexec-1']) expect(poolOf(POOLS, id)).toBeUndefined();
});

test('pools are told in one sentence', () => {
  expect(describePools(POOLS)).toBe('recommended (Large, Small), latest-weekly (Small)');
});
