import type { Pools } from '../../lib/contract/pool.ts';

/** The pool of a service that has only one. */
export const onePool = (queueName: string): Pools => [{ queueName, image: 'recommended', size: 'Large' }];
