import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { LiveEvent } from '../lib/contract/live-event.ts';
import { createLogger } from '../lib/logger.ts';
import { ENDED_EVENTS_TTL_SECONDS, wakeWatchers, writeEvents } from '../lib/queue/live-events.ts';
import { ResultStore } from '../lib/queue/result-store.ts';
import type { Platform } from '../platform/platform.ts';
import { WebsocketBackend } from '../workers/executor/backend/websocket-backend.ts';
import { KernelPool } from '../workers/executor/kernel/kernel-pool.ts';
import { LiveReport } from '../workers/executor/jobs/live-report.ts';
import { runJob } from '../workers/executor/run-job.ts';
import { FIVE, notebookOf } from './cases.ts';
import { startBenchLab } from './lab.ts';
import { sample, timed, type Sample } from './statistics.ts';

const STEP_MS = 60_000;
// So many that the medians of two things that differ by half a millisecond can be told apart.
const PAIRS = 61;

const ENDED: LiveEvent = { type: 'job_ended', phase: 'completed', success: true };
const NEVER = new AbortController().signal;

export interface LiveCost {
  /** ms of the five-cell notebook while its events are written to Redis, up to the wake-up of who waits for its end */
  live: Sample;
  /** ms of the same with nothing but that wake-up */
  silent: Sample;
}

/**
 * What live events cost: the five-cell notebook by the executor's own path (`runJob`, a warm kernel, the real Redis),
 * with and without its events written, in turn, so that whatever else happens on the machine meets both.
 */
export async function liveCost(platform: Platform, signal: AbortSignal): Promise<LiveCost> {
  const redis = new Redis(platform.redisUrl);
  const lab = await startBenchLab(platform, signal);
  const pool = new KernelPool({ host: lab.lab, sessionPathPrefix: 'live/', size: 2, maxKernels: 4 });
  const run = new Runs(redis, pool);
  const times = { live: [] as number[], silent: [] as number[] };
  try {
    for (let pair = 0; pair <= PAIRS; pair++) {
      for (const way of pair % 2 === 0 ? (['live', 'silent'] as const) : (['silent', 'live'] as const)) {
        await pool.warm('python3', signal);
        // The machine is quiet before the clock starts: the next kernel's start is not part of this run.
        await sleep(300, undefined, { signal });
        const took = await run[way]();
        if (pair > 0) times[way].push(took);
      }
    }
  } finally {
    await pool.close();
    await lab.stop(AbortSignal.timeout(STEP_MS));
    redis.disconnect();
  }
  return { live: sample(times.live), silent: sample(times.silent) };
}

class Runs {
  readonly #redis: Redis;
  readonly #store: ResultStore;
  readonly #backend: WebsocketBackend;
  readonly #log = createLogger('bench', 'fatal', false);

  constructor(redis: Redis, pool: KernelPool) {
    this.#redis = redis;
    this.#store = new ResultStore(redis);
    this.#backend = new WebsocketBackend(pool);
  }

  /** As the executor's worker does it. */
  live(): Promise<number> {
    return this.#timed(async (id) => {
      const report = new LiveReport((events) =>
        writeEvents(this.#redis, id, events, ENDED_EVENTS_TTL_SECONDS),
      );
      report.take({ type: 'job_started', attempt: 1 });
      await this.#run(id, (event) => report.take(event));
      await report.close(ENDED);
    });
  }

  silent(): Promise<number> {
    return this.#timed(async (id) => {
      await this.#run(id, () => undefined);
      await wakeWatchers(this.#redis, id);
    });
  }

  async #timed(work: (id: string) => Promise<void>): Promise<number> {
    const id = `bench-${randomUUID()}`;
    const { command, key, args } = await this.#store.sourceWrite(id, JSON.stringify(notebookOf(FIVE)), 60);
    await this.#redis.call(command, key, ...args);
    return timed(() => work(id));
  }

  async #run(id: string, tell: (event: LiveEvent) => void): Promise<void> {
    const job = {
      id,
      data: {
        version: 1 as const,
        owner: 'bench',
        kernel_name: 'python3',
        timeout_seconds: 60,
        enable_retry: true,
      },
      attemptId: 'bench',
      enqueuedAtMs: Date.now(),
      signal: NEVER,
      cancelled: NEVER,
      log: this.#log,
      reportProgress: () => undefined,
      markFirstCellStarted: async () => undefined,
      tell,
      seal: async () => undefined,
    };
    const outcome = await runJob(job, {
      backend: this.#backend,
      store: this.#store,
      startWithinSeconds: 60,
      resultTtlSeconds: 60,
      environment: { image: 'bench', executor: 'bench', lab: 'bench' },
      assertHeld: () => undefined,
    });
    if (outcome.error ?? outcome.ipynb_error)
      throw new Error(`the notebook failed: ${JSON.stringify(outcome)}`);
  }
}
