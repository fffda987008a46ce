import { poolOf, type Pools } from '../contract/pool.ts';
import type { JobSnapshot, NbexecQueue } from './nbexec-queue.ts';
import type { OwnJobsCursor } from './own-jobs.ts';

/** The queues of all pools as one: a job's id tells which it is in. */
export class PoolQueues implements Pick<NbexecQueue, 'add' | 'find' | 'cancel' | 'close'> {
  readonly #pools: Pools;
  readonly #queues: ReadonlyMap<string, NbexecQueue>;

  constructor(pools: Pools, queueOf: (queueName: string) => NbexecQueue) {
    this.#pools = pools;
    this.#queues = new Map(pools.map(({ queueName }) => [queueName, queueOf(queueName)]));
  }

  add(...job: Parameters<NbexecQueue['add']>): ReturnType<NbexecQueue['add']> {
    return this.#of(job[0]).add(...job);
  }

  find(jobId: string): ReturnType<NbexecQueue['find']> {
    return this.#of(jobId).find(jobId);
  }

  cancel(job: Parameters<NbexecQueue['cancel']>[0]): ReturnType<NbexecQueue['cancel']> {
    return this.#of(job.id).cancel(job);
  }

  /**
   * Looks at a caller's newest jobs, or those behind a place in their list, newest first.
   *
   * @returns at most `limit` of them, and the place behind them when there are more
   */
  async listOwn(
    owner: string,
    limit: number,
    after?: OwnJobsCursor,
  ): Promise<{ jobs: JobSnapshot[]; next?: OwnJobsCursor }> {
    const pages = await Promise.all(
      [...this.#queues.values()].map((queue) => queue.listOwn(owner, limit, after)),
    );
    // Behind it a queue has more that was not read.
    const [horizon] = pages.flatMap(({ next }) => next ?? []).sort(newestFirst);
    const whole = pages
      .flatMap(({ listed }) => listed)
      .filter(({ place }) => horizon === undefined || newestFirst(place, horizon) <= 0)
      .sort((a, b) => newestFirst(a.place, b.place));
    const shown = whole.slice(0, limit);
    const next = whole.length > limit ? shown.at(-1)?.place : horizon;
    return { jobs: shown.map(({ job }) => job), ...(next && { next }) };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #of(jobId: string): NbexecQueue {
    const queue = this.#queues.get(poolOf(this.#pools, jobId)?.queueName ?? '');
    if (!queue) throw new Error(`${jobId} is no job of any pool`);
    return queue;
  }
}

/** As Redis orders one queue's list: by time, then by id. */
const newestFirst = (a: OwnJobsCursor, b: OwnJobsCursor): number =>
  b.enqueuedAtMs - a.enqueuedAtMs || (a.jobId < b.jobId ? 1 : a.jobId > b.jobId ? -1 : 0);
