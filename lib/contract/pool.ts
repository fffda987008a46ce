import type { LabSize } from './lab-image.ts';
import { isJobId } from './nbexec-job.ts';

/** Executors whose labs run the same image at the same size, and the queue that they take jobs from. */
export interface Pool {
  /** Also the first part of its jobs' ids. */
  queueName: string;
  /** As requests name it: `recommended`, `latest-weekly`, a tag or a reference. */
  image: string;
  size: LabSize;
}

/** The first is for requests that name neither image nor size. */
export type Pools = readonly [Pool, ...Pool[]];

/** What a request says of where it is to run. */
interface Wish {
  image?: string | undefined;
  size?: string | undefined;
}

/** @returns the first pool that has what is asked for, if any has */
export const poolFor = (pools: Pools, { image, size }: Wish): Pool | undefined =>
  pools.find((pool) => (image ?? pool.image) === pool.image && (size ?? pool.size) === pool.size);

/** @returns the pool that a job is in, by its id; undefined for what is no id of any */
export const poolOf = (pools: Pools, jobId: string): Pool | undefined =>
  pools.find(({ queueName }) => isJobId(jobId, queueName));

/** The pools in a sentence: `recommended (Large), latest-weekly (Small, Large)`. */
export function describePools(pools: Pools): string {
  const sizes = Map.groupBy(pools, ({ image }) => image);
  return [...sizes].map(([image, all]) => `${image} (${all.map(({ size }) => size).join(', ')})`).join(', ');
}
