import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { vi } from 'vitest';
import {
  KEY_PREFIX,
  newJobId,
  type NbexecJobData,
  type NbexecOutcome,
} from '../../lib/contract/nbexec-job.ts';
import { NbexecQueue, type JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import type { KeyWrite } from '../../lib/queue/write-script.ts';
import type { HeldJob } from '../../workers/executor/jobs/held-job.ts';
import { NbexecWorker, type NbexecWorkerOptions } from '../../workers/executor/jobs/worker.ts';
import { capturedLog } from './log.ts';
import type { RedisOfFile } from './redis.ts';

/** A run that the test ends as it likes. */
export interface FakeRun {
  job: HeldJob;
  end: (outcome: NbexecOutcome) => void;
  fail: (error: unknown) => void;
}

/** A queue with workers whose runs are the test's, disposed of with all of its connections. */
export class WorkerBench implements AsyncDisposable {
  readonly queueName: string;
  readonly queue: NbexecQueue;
  /** Every run that was begun by any of the workers, oldest first. */
  readonly runs: FakeRun[] = [];
  readonly lines: string[];
  readonly #file: RedisOfFile;
  readonly #request: Redis;
  readonly #log: ReturnType<typeof capturedLog>['log'];
  readonly #stack = new AsyncDisposableStack();

  constructor(file: RedisOfFile) {
    this.#file = file;
    this.queueName = file.newQueueName();
    ({ log: this.#log, lines: this.lines } = capturedLog());
    this.#request = requestRedis(file.url);
    this.#stack.defer(() => this.#request.disconnect());
    this.queue = new NbexecQueue(this.queueName, this.#request, 60, () => undefined);
    this.#stack.defer(() => this.queue.close());
  }

  /** Begins to run jobs. A run ends by itself only when its signal says so, as real ones do. */
  async worker(options: Partial<NbexecWorkerOptions> = {}): Promise<NbexecWorker> {
    const redis = workerRedis(this.#file.url);
    this.#stack.defer(() => redis.disconnect());
    const worker = new NbexecWorker({
      queueName: this.queueName,
      redis,
      concurrency: 3,
      lockMs: 600,
      isolation: 'none',
      vacated: async () => undefined,
      onLoopBlocked: () => undefined,
      firstBackoffMs: 20,
      run: (job) => this.run(job),
      assertHeld: () => undefined,
      onTrouble: async () => undefined,
      log: this.#log,
      ...options,
    });
    this.#stack.defer(async () => {
      await worker.drain(0, new Error('the test is over'));
      await worker.close();
    });
    await worker.start();
    return worker;
  }

  run(job: HeldJob): Promise<NbexecOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<NbexecOutcome>();
    this.runs.push({ job, end: resolve, fail: reject });
    job.signal.addEventListener('abort', () => reject(job.signal.reason), { once: true });
    return promise;
  }

  /** Waits until an executor of this file waits for a job to come. */
  async idle(): Promise<void> {
    const waits = async () => String(await this.#file.redis.client('LIST')).includes('cmd=bzpopmin');
    await vi.waitUntil(waits, { timeout: 5_000, interval: 5 });
  }

  /** Waits until so many runs have been begun. @returns the newest of them */
  async runsBegun(count: number, timeoutMs = 5_000): Promise<FakeRun> {
    await vi.waitUntil(() => this.runs.length >= count, { timeout: timeoutMs, interval: 5 });
    return this.runs[count - 1] as FakeRun;
  }

  /** @param along what is to be written with it */
  async add(
    data: Partial<NbexecJobData> = {},
    along: (id: string) => KeyWrite[] = () => [],
  ): Promise<string> {
    await untilReady(this.#request, 5_000);
    const id = newJobId(this.queueName);
    const job: NbexecJobData = {
      version: 1,
      owner: 'alice',
      kernel_name: 'lsst',
      timeout_seconds: 300,
      enable_retry: true,
      ...data,
    };
    await this.queue.add(id, job, along(id));
    return id;
  }

  /** Waits until the job is as the test wants it. */
  async jobThat(id: string, is: (job: JobSnapshot) => boolean, timeoutMs = 5_000): Promise<JobSnapshot> {
    const find = async () => {
      const job = await this.queue.find(id);
      return job && is(job) ? job : false;
    };
    return vi.waitUntil(find, { timeout: timeoutMs, interval: 5 });
  }

  ended(id: string, timeoutMs?: number): Promise<JobSnapshot> {
    return this.jobThat(id, ({ state }) => state === 'ended', timeoutMs);
  }

  /** Takes the next job as an executor that dies over it: its lock stays until it runs out. */
  async takeAndVanish(
    lockMs: number,
    before: (job: Job) => Promise<unknown> = async () => undefined,
  ): Promise<void> {
    const connection = workerRedis(this.#file.url);
    const options = { connection, prefix: KEY_PREFIX, autorun: false, lockDuration: lockMs };
    const worker = new Worker(this.queueName, null, options);
    try {
      const job = await worker.getNextJob('token-of-the-dead', { block: false });
      if (!job) throw new Error('there was no job to take');
      await before(job);
    } finally {
      await worker.close(true);
      connection.disconnect();
    }
  }

  key(suffix: string): string {
    return `${KEY_PREFIX}:${this.queueName}:${suffix}`;
  }

  /** How often the queue's stream of events tells of this one. */
  async events(name: string): Promise<number> {
    const entries = await this.#request.xrange(this.key('events'), '-', '+');
    return entries.filter(([, fields]) => fields[fields.indexOf('event') + 1] === name).length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
