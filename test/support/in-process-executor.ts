import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import { KEY_PREFIX, newJobId } from '../../lib/contract/nbexec-job.ts';
import { NbexecQueue, type JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import { leaseRedis, requestRedis, untilReady, workerRedis } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { writeIdentities } from '../../platform/services/product.ts';
import { executorConfig } from '../../workers/executor/config.ts';
import type { ExecutorState } from '../../workers/executor/executor-state.ts';
import { Executor, type ExecutorTimings } from '../../workers/executor/lifecycle.ts';
import { ExecutorMetrics } from '../../workers/executor/metrics.ts';
import type { FakePlatform } from './fake-platform.ts';
import { capturedLog } from './log.ts';
import { codeCell, ipynb } from './notebooks.ts';
import type { RedisOfFile } from './redis.ts';

const TIMINGS: ExecutorTimings = { exitStepMs: 2_000, firstRetryMs: 50, reconcileEveryMs: 50 };

/** A bot with a queue of its own, for executors that live in the test's process. */
export class ExecutorBench implements AsyncDisposable {
  readonly username = `bot-${randomBytes(6).toString('hex')}`;
  readonly queueName: string;
  readonly #platform: FakePlatform;
  readonly #file: RedisOfFile;
  readonly #stack = new AsyncDisposableStack();
  readonly #queue: NbexecQueue;
  readonly #store: ResultStore;
  readonly #ready: Promise<void>;

  constructor(platform: FakePlatform, file: RedisOfFile) {
    this.#platform = platform;
    this.#file = file;
    this.queueName = file.newQueueName();
    const request = requestRedis(file.url);
    this.#stack.defer(() => request.disconnect());
    this.#queue = new NbexecQueue(this.queueName, request, 60, () => undefined);
    this.#stack.defer(() => this.#queue.close());
    this.#store = new ResultStore(request);
    this.#ready = untilReady(request, 5_000);
    // Whoever waits for a job waits up to two seconds: BullMQ's marker of a new job ends that.
    const wake = () => void file.redis.zadd(`${KEY_PREFIX}:${this.queueName}:marker`, 0, '0');
    const waking = setInterval(wake, 50);
    this.#stack.defer(() => clearInterval(waking));
  }

  get hub() {
    return this.#platform.hub(this.username);
  }

  /** Begins to run an executor. It is asked to stop at the end, if it was not before. */
  async executor(env: Record<string, string> = {}, timings: Partial<ExecutorTimings> = {}) {
    const dir = mkdtempSync(join(tmpdir(), 'noteburst-executor-'));
    const identities = join(dir, 'identities.yaml');
    writeIdentities(identities, [this.username]);
    const config = executorConfig({
      NOTEBURST_REDIS_URL: this.#file.url,
      REPERTOIRE_BASE_URL: this.#platform.repertoireUrl,
      NOTEBURST_GAFAELFAWR_TOKEN: this.#platform.adminToken,
      NOTEBURST_WORKER_IDENTITIES_PATH: identities,
      NOTEBURST_WORKER_QUEUE_NAME: this.queueName,
      NOTEBURST_WORKER_LEASE_TTL_SECONDS: '3',
      NOTEBURST_WORKER_GRACE_SECONDS: '1',
      ...env,
    });
    rmSync(dir, { recursive: true });
    const [lease, worker] = [leaseRedis(this.#file.url), workerRedis(this.#file.url)];
    for (const redis of [lease, worker]) {
      redis.on('error', () => undefined);
      this.#stack.defer(() => redis.disconnect());
    }
    await untilReady(lease, 5_000);
    const { log, lines } = capturedLog();
    const evicted = vi.fn<() => void>();
    const metrics = new ExecutorMetrics();
    const executor = new Executor({
      config,
      hubUrl: this.#platform.hubUrl,
      gafaelfawr: new Gafaelfawr(this.#platform.gafaelfawrUrl, this.#platform.adminToken),
      leaseRedis: lease,
      workerRedis: worker,
      store: new ResultStore(worker),
      metrics,
      log,
      onEvicted: evicted,
      timings: { ...TIMINGS, ...timings },
    });
    const ended = executor.run().catch((error: unknown) => error);
    this.#stack.defer(async () => {
      executor.requestStop();
      await ended;
    });
    const until = (state: ExecutorState, timeout = 10_000) =>
      vi.waitUntil(() => executor.state === state, { timeout, interval: 2 });
    const entries = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const states = () => entries().flatMap(({ to }) => (typeof to === 'string' ? [to] : []));
    return { executor, ended, until, entries, states, evicted, metrics, lease };
  }

  /** @param source of its one cell, in the little Python that fake kernels know */
  async submit(source: string): Promise<string> {
    await this.#ready;
    const id = newJobId(this.queueName);
    const notebook = await this.#store.sourceWrite(id, ipynb({ cells: [codeCell(source)] }), 600);
    const job = { owner: 'alice', kernel_name: 'lsst', timeout_seconds: 300, enable_retry: true };
    await this.#queue.add(id, { version: 1, ...job }, [notebook]);
    return id;
  }

  job(id: string): Promise<JobSnapshot | undefined> {
    return this.#queue.find(id);
  }

  /** What an executor must not leave behind. */
  async left(): Promise<{ labs: number; tokens: number; lease: number }> {
    const lease = await this.#file.redis.exists(`${KEY_PREFIX}:lease:${this.username}`);
    const { lab, pending } = this.hub;
    return { labs: lab || pending ? 1 : 0, tokens: this.#platform.tokens.list(this.username).length, lease };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
