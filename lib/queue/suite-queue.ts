import { createIORedisClient, Job, Queue, type IRedisClient } from 'bullmq';
import type { Redis } from 'ioredis';
import { COURIER_JOB, suitesQueueOf, type CourierKind } from '../contract/courier-job.ts';
import { KEY_PREFIX } from '../contract/nbexec-job.ts';
import { takenKey } from './github-keys.ts';
import { replicated } from './redis.ts';
import { writeArgs } from './write-script.ts';

/** Longer than a delivery is fresh. */
const TAKEN_SECONDS = 30 * 86_400;

type SuiteKind = Extract<CourierKind, 'suite' | 'schedules'>;

/** The functions' side of the courier's queues. */
export class SuiteQueue {
  readonly #queues: Record<SuiteKind, Queue>;
  readonly #redis: Redis;
  readonly #client: IRedisClient;

  /**
   * @param courierQueue as it is configured
   * @param redis a client that fails fast; it stays the caller's to close
   * @param onError takes faults of the connection, which requests report on their own
   */
  constructor(courierQueue: string, redis: Redis, onError: (error: Error) => void) {
    const common = { connection: redis, prefix: KEY_PREFIX };
    const suite = new Queue(suitesQueueOf(courierQueue), common);
    const schedules = new Queue(courierQueue, common);
    for (const queue of [suite, schedules]) queue.on('error', onError);
    this.#queues = { suite, schedules };
    this.#redis = redis;
    this.#client = createIORedisClient(redis);
  }

  /** Which of these were taken before. */
  async taken(digests: readonly string[]): Promise<boolean[]> {
    const found = await this.#redis.mget(digests.map(takenKey));
    return found.map((value) => value !== null);
  }

  /**
   * Adds a job, unless there is one with this id, and remembers by these digests what it is for, all or nothing; when this
   * resolves, Redis has both.
   *
   * @throws {NotReplicatedError} when a failover might lose it
   */
  async add(kind: SuiteKind, jobId: string, data: object, digests: readonly string[]): Promise<void> {
    if (this.#redis.status !== 'ready') throw new Error('Redis is not connected');
    const queue = this.#queues[kind];
    const job = new Job(queue, kind, data, COURIER_JOB, jobId);
    await queue.waitUntilReady();
    const transaction = this.#client.multi();
    const args = [String(Date.now()), 'EX', TAKEN_SECONDS];
    const writes = digests.map((digest) => ({ command: 'SET', key: takenKey(digest), args }));
    transaction.runCommand('eval', writeArgs(writes));
    await job.addJob(transaction);
    const replies = (await replicated(this.#redis, () => transaction.exec())) ?? [];
    for (const [error] of replies) if (error) throw error;
  }

  /** Remembers what asks for nothing that was not asked for before. @throws {NotReplicatedError} when a failover might lose it */
  async remember(digest: string): Promise<void> {
    await replicated(this.#redis, () => this.#redis.set(takenKey(digest), Date.now(), 'EX', TAKEN_SECONDS));
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()));
  }
}
