import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import type { NotebookResponse } from '../../lib/contract/notebooks-api.ts';
import { workerRedis } from '../../lib/queue/redis.ts';
import { ResultStore } from '../../lib/queue/result-store.ts';
import { FakePlatform } from '../../test/support/fake-platform.ts';
import { TestRedisServer } from '../../test/support/redis-server.ts';
import { serialize } from '../../platform/origin/token-store.ts';
import { compileCacheEnv } from '../../build/compile-cache.ts';
import { ServerProcess, type Program } from '../../build/server-process.ts';

const QUEUE = 'nbexec';
const JOBS = '/noteburst/v1/notebooks/';
const TTL_SECONDS = 3_600;
const FUNCTIONS = ['submit', 'status'] as const;

/** A Redis, a Gafaelfawr and callers; what is submitted goes to a database of its own, which is emptied often. */
export class BenchService implements AsyncDisposable {
  readonly #redis: TestRedisServer;
  readonly #platform: FakePlatform;
  readonly #dist: string;
  readonly #callers: Record<string, string>[];

  private constructor(redis: TestRedisServer, platform: FakePlatform, dist: string, callers: number) {
    this.#redis = redis;
    this.#platform = platform;
    this.#dist = dist;
    this.#callers = Array.from({ length: callers }, (_, n) => {
      const username = `caller-${n}`;
      const token = platform.tokens.create({ username, tokenType: 'user', scopes: ['exec:notebook'] });
      return { 'x-auth-request-user': username, 'x-auth-request-token': serialize(token) };
    });
  }

  /** @param dist where the bundles are */
  static async start(dist: string, callers: number): Promise<BenchService> {
    return new BenchService(await TestRedisServer.start(), await FakePlatform.start(), dist, callers);
  }

  /** A function from its bundle, as images start it; ready once Redis is connected. */
  function(name: (typeof FUNCTIONS)[number], env: Record<string, string> = {}): Program {
    return {
      file: join(this.#dist, `${name}.mjs`),
      env: {
        ...compileCacheEnv(this.#dist),
        NOTEBURST_ENVIRONMENT_URL: 'https://data.example.org',
        NOTEBURST_REDIS_URL: this.#database(name),
        NOTEBURST_GAFAELFAWR_URL: this.#platform.gafaelfawrUrl,
        NOTEBURST_WORKER_QUEUE_NAME: QUEUE,
        ...env,
      },
      first: { path: '/health/ready' },
    };
  }

  /** The headers of each caller. */
  get callers(): readonly Record<string, string>[] {
    return this.#callers;
  }

  /** A submission by each of the callers. */
  submissions(ipynb: string) {
    const body = JSON.stringify({ ipynb });
    return this.#callers.map((headers) => ({
      method: 'POST' as const,
      path: JOBS,
      headers: { ...headers, 'content-type': 'application/json' },
      body,
    }));
  }

  /** A look at a job by its owner. */
  poll(jobId: string, headers: Record<string, string> = {}) {
    return { method: 'GET' as const, path: `${JOBS}${jobId}`, headers: { ...this.#callers[0], ...headers } };
  }

  /** A job of the first caller's that has ended, as an executor leaves it. @returns its id */
  async endedJob(ipynb: string): Promise<string> {
    const url = this.#database('status');
    await using submit = await ServerProcess.start(this.function('submit', { NOTEBURST_REDIS_URL: url }));
    const [first] = this.submissions(ipynb);
    const response = await fetch(`${submit.url}${JOBS}`, first);
    const { job_id: id } = (await response.json()) as NotebookResponse;
    await using stack = new AsyncDisposableStack();
    const connection = workerRedis(url);
    stack.defer(() => connection.disconnect());
    const worker = new Worker(QUEUE, null, { connection, prefix: KEY_PREFIX, autorun: false });
    stack.defer(() => worker.close());
    const store = new ResultStore(connection);
    const job = await worker.getNextJob('bench', { block: false });
    await store.putResult(id, 'bench', ipynb, TTL_SECONDS);
    await job?.moveToCompleted({ result_id: 'bench' }, 'bench', false);
    return id;
  }

  /** Forgets what was submitted. @returns how many jobs there were */
  async forgetJobs(): Promise<number> {
    const redis = new Redis(this.#database('submit'));
    try {
      const jobs = await redis.zcard(`${KEY_PREFIX}:${QUEUE}:prioritized`);
      await redis.flushdb();
      return jobs;
    } finally {
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#platform[Symbol.asyncDispose]();
    await this.#redis[Symbol.asyncDispose]();
  }

  #database(name: (typeof FUNCTIONS)[number]): string {
    return this.#redis.url.replace(/\d+$/, String(FUNCTIONS.indexOf(name)));
  }
}

/** A notebook of about so many bytes, whose cells differ as people's do. */
export function notebookOf(bytes: number): string {
  const cell = (n: number) => ({
    cell_type: 'code',
    source: `# step ${n}\nvalues_${n} = load("${randomBytes(250).toString('base64')}")\n${'plot(values)\n'.repeat(40)}`,
    metadata: {},
    outputs: [],
    execution_count: null,
  });
  const cells = Array.from({ length: Math.max(1, Math.round(bytes / 1_000)) }, (_, n) => cell(n));
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
}
