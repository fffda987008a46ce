import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { KEY_PREFIX, newJobId, type JobPriority, type NbexecJobData } from '../../lib/contract/nbexec-job.ts';
import { NbexecQueue } from '../../lib/queue/nbexec-queue.ts';
import { requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import type { RedisOfFile } from './redis.ts';

/** A queue, and a worker that takes its jobs one by one, when it is told to. */
export class FairQueue implements AsyncDisposable {
  readonly queueName: string;
  readonly queue: NbexecQueue;
  /** What jobs go by, by id: their owner and their number, such as `a1`. */
  readonly names = new Map<string, string>();
  readonly #request: Redis;
  readonly #forWorker: Redis;
  #worker: Worker<NbexecJobData>;

  private constructor(queueName: string, request: Redis, forWorker: Redis) {
    this.queueName = queueName;
    this.#request = request;
    this.#forWorker = forWorker;
    this.queue = new NbexecQueue(queueName, request, 60, () => undefined);
    this.#worker = this.#newWorker({});
  }

  static async open(file: RedisOfFile): Promise<FairQueue> {
    const fair = new FairQueue(file.newQueueName(), requestRedis(file.url), workerRedis(file.url));
    await untilReady(fair.#request, 5_000);
    await fair.#worker.waitUntilReady();
    return fair;
  }

  get worker(): Worker<NbexecJobData> {
    return this.#worker;
  }

  key(name: string): string {
    return `${KEY_PREFIX}:${this.queueName}:${name}`;
  }

  /** @returns the job's id */
  async add(owner: string, priority?: JobPriority): Promise<string> {
    const id = newJobId(this.queueName);
    const count = [...this.names.values()].filter((name) => name.replace(/\d+$/, '') === owner).length;
    this.names.set(id, `${owner}${count + 1}`);
    await this.queue.add(id, {
      version: 1,
      owner,
      kernel_name: 'lsst',
      timeout_seconds: 300,
      enable_retry: true,
      ...(priority && { priority }),
    });
    return id;
  }

  async addMany(count: number, owner: string, priority?: JobPriority): Promise<void> {
    for (let n = 0; n < count; n++) await this.add(owner, priority);
  }

  take(): Promise<Job<NbexecJobData> | undefined> {
    return this.#worker.getNextJob('token', { block: false }) as Promise<Job<NbexecJobData> | undefined>;
  }

  nameOf(job: Job): string {
    return this.names.get(job.id as string) as string;
  }

  /** Runs so many jobs, one after the other. @returns their names */
  async run(count: number): Promise<string[]> {
    const order: string[] = [];
    for (let n = 0; n < count; n++) {
      const job = await this.take();
      if (!job) break;
      order.push(this.nameOf(job));
      await job.moveToCompleted({}, 'token', false);
    }
    return order;
  }

  async restartWorker(timings: { lockDuration: number; stalledInterval: number }): Promise<void> {
    await this.#worker.close();
    this.#worker = this.#newWorker(timings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close();
    await this.queue.close();
    this.#request.disconnect();
    this.#forWorker.disconnect();
  }

  #newWorker(timings: { lockDuration?: number; stalledInterval?: number }): Worker<NbexecJobData> {
    const connection = { connection: this.#forWorker, prefix: KEY_PREFIX, autorun: false };
    return new Worker(this.queueName, null, { ...connection, ...timings });
  }
}
