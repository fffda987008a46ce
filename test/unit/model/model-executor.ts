import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { NbexecOutcome } from '../../../lib/contract/nbexec-job.ts';
import { cancelledOutcome } from '../../../lib/queue/verdict.ts';
import { instant } from '../../../workers/executor/deadline.ts';
import { tryAcquire } from '../../../workers/executor/identity/acquire-lease.ts';
import { leaseTimings, type IdentityLease } from '../../../workers/executor/identity/identity-lease.ts';
import { Attempt } from '../../../workers/executor/jobs/attempt.ts';
import { Cancellations } from '../../../workers/executor/jobs/cancellations.ts';
import {
  ExecutorStopsError,
  GiveBackError,
  JobLockLostError,
} from '../../../workers/executor/jobs/errors.ts';
import type { HeldJob } from '../../../workers/executor/jobs/held-job.ts';
import type { JobQueue, TakenJob } from '../../../workers/executor/jobs/job-queue.ts';
import { silentLog } from '../../support/log.ts';
import { TTL_MS, type LabModel } from './platform-model.ts';
import { Process } from './processes.ts';
import { LOCK_MS, type ModelJob } from './queue-model.ts';
import type { World } from './world.ts';

const STEP_MS = 500;
const REDIS_TIMEOUT_MS = 1_500;
const LAB_TIMEOUT_MS = 3_000;
const CONCURRENCY = 2;
const CELLS = 3;
const CELL_MS = 700;
/** From an eviction to the end of the process: what goes on meanwhile must do no harm. */
const EXIT_MS = 1_000;
const log = silentLog();

/** One life of an executor: it leases an identity, fences its lab, and takes jobs into it. */
export class ModelExecutor {
  readonly process = new Process();
  readonly #world: World;
  readonly #queue: JobQueue;
  readonly #redis: Redis;
  readonly #leaseRedis: Redis;
  readonly #cancellations: Cancellations;
  readonly #running = new Map<Promise<void>, Attempt>();
  #tries: number;
  #lease: IdentityLease | undefined;
  #fenced = false;
  #stopping = false;
  #stepping = false;

  constructor(world: World, n: number) {
    this.#world = world;
    this.#tries = n;
    this.#queue = this.#queueClient() as unknown as JobQueue;
    this.#redis = this.#redisClient() as unknown as Redis;
    this.#leaseRedis = world.leaseRedis(this.process, REDIS_TIMEOUT_MS);
    this.#cancellations = new Cancellations(this.#redis, log);
    this.process.run(() => {
      setInterval(() => void this.#step(), STEP_MS);
      if (world.guards.recovery) setInterval(() => void this.#recoverStalled(), LOCK_MS);
    });
  }

  /** As by SIGTERM: gives back what it has, and leaves. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.process.run(() => setTimeout(() => void this.#leave(), 0));
  }

  get #lab(): LabModel {
    return this.#world.labs.get((this.#lease as IdentityLease).identity.username) as LabModel;
  }

  async #step(): Promise<void> {
    if (this.#stepping || this.#stopping) return;
    this.#stepping = true;
    try {
      if (!this.#lease) await this.#acquire();
      else if (!this.#fenced) await this.#fence(this.#lease);
      else if (this.#running.size < CONCURRENCY) await this.#fetch(this.#lease);
    } catch {
      // Tried again with the next step.
    } finally {
      this.#stepping = false;
    }
  }

  async #acquire(): Promise<void> {
    const { usernames, guards, counts } = this.#world;
    const username = usernames[this.#tries++ % usernames.length] as string;
    const timings = leaseTimings(TTL_MS);
    const lease = await tryAcquire(
      { username },
      { redis: this.#leaseRedis, timings, log, onRenewal: () => undefined },
    );
    if (!lease) return;
    counts.leases++;
    this.#lease = lease;
    lease.lost.addEventListener('abort', () => {
      if (!guards.deadline) return;
      for (const attempt of this.#running.values()) attempt.abort(lease.lost.reason);
      this.#exit(EXIT_MS);
    });
  }

  /** In the order of lifecycle.ts: older tokens die before there is one of ours, and a lab. */
  async #fence(lease: IdentityLease): Promise<void> {
    const lab = this.#lab;
    const { epoch } = lease;
    const call = <T>(effect: () => T): Promise<T> => {
      lease.assertHeld();
      return this.#world.network.send(effect, LAB_TIMEOUT_MS);
    };
    try {
      const older = this.#world.guards.fencing ? await call(() => [...lab.tokens]) : [];
      for (const token of older) await call(() => lab.tokens.delete(token));
      await call(() => lab.tokens.add(epoch));
      await call(() => lab.spawn(epoch));
      this.#fenced = true;
    } catch {
      this.#lease = undefined;
      await lease.release();
    }
  }

  async #fetch(lease: IdentityLease): Promise<void> {
    lease.assertHeld();
    const taken = await this.#queue.take();
    if (!taken) return;
    this.#world.counts.attempts++;
    const attempt = new Attempt(taken, {
      queueName: 'model',
      redis: this.#redis,
      queue: this.#queue,
      cancellations: this.#cancellations,
      firstBackoffMs: 250,
      lockMs: LOCK_MS,
      onTrouble: async () => undefined,
      run: (job) => this.#run(job, lease),
      assertHeld: () => this.#assertHeld(lease),
      log,
    });
    if (this.#stopping) return attempt.giveBack();
    const running = attempt.run().finally(() => this.#running.delete(running));
    this.#running.set(running, attempt);
  }

  async #run(job: HeldJob, lease: IdentityLease): Promise<NbexecOutcome> {
    const lab = this.#lab;
    if (!job.data.enable_retry) await job.markFirstCellStarted();
    for (let cell = 0; cell < CELLS; cell++) {
      job.signal.throwIfAborted();
      if (job.cancelled.aborted) return cancelledOutcome();
      this.#assertHeld(lease);
      await this.#world.network
        .send(() => lab.command(lease.epoch), LAB_TIMEOUT_MS)
        .catch((cause: unknown) => {
          throw new GiveBackError('The lab failed', { cause });
        });
      await pause(CELL_MS);
    }
    job.signal.throwIfAborted();
    this.#assertHeld(lease);
    await job.seal();
    return { result_id: job.attemptId };
  }

  #assertHeld(lease: IdentityLease): void {
    if (this.#world.guards.deadline) lease.assertHeld();
  }

  async #recoverStalled(): Promise<void> {
    await this.#world.network.send(() => this.#world.queue.recoverStalled(), LAB_TIMEOUT_MS).catch(() => {});
  }

  async #leave(): Promise<void> {
    for (const attempt of this.#running.values()) attempt.abort(new ExecutorStopsError('The executor stops'));
    // What was begun ends first, be it a fencing or a fetch.
    while (this.#stepping) await pause(STEP_MS);
    await Promise.all(this.#running.keys());
    await this.#lease?.release();
    this.#exit(STEP_MS);
  }

  #exit(afterMs: number): void {
    this.process.run(() => setTimeout(() => this.process.kill(), afterMs));
  }

  /** jobs/job-queue.ts on the model. */
  #queueClient() {
    const { network, queue } = this.#world;
    return {
      take: async (): Promise<TakenJob | undefined> => {
        const [token, sent] = [randomUUID(), instant()];
        const job = await network.resend(() => queue.moveToActive(token));
        return job && ({ job: { ...job, timestamp: 0 }, token, sent } as unknown as TakenJob);
      },
      extendLock: ({ job, token }: TakenJob) => network.resend(() => queue.extendLock(job.id, token)),
      writeData: async ({ job, token }: TakenJob, data: ModelJob['data']) => {
        const written = await network.resend(() => queue.writeData(job.id, token, data));
        if (!written) throw new JobLockLostError('The lock of the job is lost');
        job.data = data;
      },
      giveBack: ({ job, token }: TakenJob) => network.resend(() => queue.moveToWait(job.id, token)),
      giveBackLater: ({ job, token }: TakenJob, data: ModelJob['data'], delayMs: number) =>
        network.resend(() => queue.moveToDelayed(job.id, token, data, delayMs)),
      complete: ({ job, token }: TakenJob, outcome: NbexecOutcome) => {
        this.#world.onCommit((this.#lease as IdentityLease).identity.username, this.process);
        return network
          .resend(() => queue.moveToCompleted(job.id, token, outcome))
          .catch((error: Error) => {
            this.#world.counts.refusedCommits++;
            throw error;
          });
      },
      hasEnded: ({ job }: TakenJob) => network.resend(() => queue.jobs.get(job.id)?.state === 'ended'),
    };
  }

  /** Verdicts on the model; live events fail, which must not matter. */
  #redisClient() {
    const { network, queue } = this.#world;
    const idOf = (key: string) => key.split(':').at(-1) as string;
    return {
      eval: (_script: string, keyCount: number, ...rest: string[]) =>
        network.resend(() => {
          const args = rest.slice(keyCount);
          if (keyCount > 1) return queue.cancel(args[0] as string);
          return queue.seal(idOf(rest[0] as string), args[0] as string) ? 1 : 0;
        }),
      mget: (...keys: string[]) =>
        network.resend(() => keys.map((key) => queue.jobs.get(idOf(key))?.verdict ?? null)),
    };
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
