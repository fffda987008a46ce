import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { KEY_PREFIX } from '../../lib/contract/nbexec-job.ts';
import { Gafaelfawr } from '../../lib/gafaelfawr.ts';
import type { Executor } from '../../platform/services/product.ts';
import { FakePlatform } from '../support/fake-platform.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { leftInRedis } from '../support/leftovers.ts';
import { platform as realPlatform } from '../support/platform.ts';
import { SentinelSetup } from '../support/redis-sentinel.ts';
import { TestRedisServer } from '../support/redis-server.ts';
import { Stack } from '../support/stack.ts';
import { sharedLabs } from './commanders.ts';
import { Ledger } from './ledger.ts';
import { PlatformProxy } from './platform-proxy.ts';

/** Short, so that a recovery takes seconds; the defaults are 30 s each. */
export const LEASE_TTL_MS = 3_000;
export const LOCK_MS = 2_000;

const EXECUTOR_ENV = {
  NOTEBURST_WORKER_LEASE_TTL_SECONDS: String(LEASE_TTL_MS / 1_000),
  NOTEBURST_WORKER_LOCK_SECONDS: String(LOCK_MS / 1_000),
  NOTEBURST_WORKER_GRACE_SECONDS: '1',
  NOTEBURST_WORKER_MAX_CONCURRENT_JOBS: '2',
  NOTEBURST_WORKER_MAX_KERNELS: '3',
};

/** An executor that comes back when it ends, as Kubernetes sees to it. */
export interface Kept {
  /** the process of now */
  executor: Executor;
  /** between it and Redis */
  readonly proxy: FaultProxy;
  /** how its processes ended so far */
  readonly ends: string[];
  keep: boolean;
  watching: Promise<void>;
}

export interface WorldOptions {
  /** A platform of its own by default, or the run's real one. */
  on?: 'fake' | 'real';
  /** Three nodes with sentinels in place of the one Redis. */
  sentinels?: boolean;
  /** A bad network between the executors and the fake platform, too. */
  platformProxy?: boolean;
  identities?: number;
  executorEnv?: Record<string, string>;
  functionEnv?: Record<string, string>;
}

type PartsOfWorld = Pick<World, 'redis' | 'stack' | 'ledger' | 'functionProxy' | 'dir'>;

/** What only some worlds have. */
interface Extras {
  fake?: FakePlatform | undefined;
  sentinels?: SentinelSetup | undefined;
  platformProxy?: PlatformProxy | undefined;
}

/**
 * A whole service on a fake platform and a Redis of its own, with a bad network in between and a ledger outside: for
 * one test file.
 */
export class World implements AsyncDisposable {
  /** the one that there is, or one of the three nodes */
  readonly redis: TestRedisServer;
  readonly stack: Stack;
  readonly ledger: Ledger;
  /** between the functions and Redis */
  readonly functionProxy: FaultProxy;
  readonly dir: string;
  readonly #extras: Extras;
  readonly #kept = new Set<Kept>();
  readonly #holds: string[] = [];

  private constructor(parts: PartsOfWorld, extras: Extras) {
    this.#extras = extras;
    ({
      redis: this.redis,
      stack: this.stack,
      ledger: this.ledger,
      functionProxy: this.functionProxy,
      dir: this.dir,
    } = parts);
  }

  /** The fake one, for tests that break it. */
  get platform(): FakePlatform {
    if (!this.#fake) throw new Error('The real platform cannot be broken in this way');
    return this.#fake;
  }

  get sentinels(): SentinelSetup {
    if (!this.#extras.sentinels) throw new Error('This world has no sentinels');
    return this.#extras.sentinels;
  }

  /** between the executors and the platform */
  get platformProxy(): FaultProxy {
    if (!this.#extras.platformProxy) throw new Error('This world has no bad network to its platform');
    return this.#extras.platformProxy.network;
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const dir = mkdtempSync(join(tmpdir(), 'noteburst-faults-'));
    const fake = options.on === 'real' ? undefined : await FakePlatform.start();
    const sentinels = options.sentinels ? await SentinelSetup.start() : undefined;
    const redis = sentinels ? await sentinels.master() : await TestRedisServer.start();
    const functionProxy = await FaultProxy.start(redis.url);
    const platformProxy = options.platformProxy && fake ? await PlatformProxy.start(fake) : undefined;
    const { originUrl, gafaelfawrUrl, repertoireUrl, adminToken } = fake ?? realPlatform();
    const stack = await Stack.start({
      on: { originUrl, gafaelfawrUrl, repertoireUrl, adminToken, redisUrl: redis.url, scratchDir: dir },
      identities: options.identities ?? 1,
      functionEnv: { NOTEBURST_REDIS_URL: functionProxy.url, ...sentinels?.env, ...options.functionEnv },
      executorEnv: { ...EXECUTOR_ENV, ...platformProxy?.env, ...options.executorEnv },
    });
    const ledger = new Ledger(stack, sentinels?.setup ?? redis.url);
    return new World({ redis, stack, ledger, functionProxy, dir }, { fake, sentinels, platformProxy });
  }

  get bot(): string {
    return this.stack.identities[0] as string;
  }

  /** @returns the path of a file that does not exist; whoever waits for it goes on with the end of the case at the latest */
  newHold(): string {
    const path = join(this.dir, `hold-${this.#holds.length}`);
    this.#holds.push(path);
    return path;
  }

  /** Starts an executor that is started again whenever it ends. @param env for its first process alone */
  async executor(env: Record<string, string> = {}): Promise<Kept> {
    const proxy = await FaultProxy.start(this.redis.url);
    const start = (first: Record<string, string>) =>
      this.stack.startExecutor({
        NOTEBURST_REDIS_URL: proxy.url,
        ...this.#extras.sentinels?.env,
        ...first,
      });
    const kept: Kept = {
      executor: await start(env),
      proxy,
      ends: [],
      keep: true,
      watching: Promise.resolve(),
    };
    this.#kept.add(kept);
    kept.watching = this.#watch(kept, () => start({}));
    return kept;
  }

  /** Waits until as many executors have a warm lab as can have one. */
  async healthy(timeoutMs = 20_000): Promise<void> {
    const kept = [...this.#kept].filter(({ keep }) => keep);
    const wanted = Math.min(kept.length, this.stack.identities.length);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const states = await Promise.all(kept.map(({ executor }) => stateOf(executor)));
      if (states.filter((state) => state === 'ready' || state === 'running').length >= wanted) return;
      if (performance.now() > deadline) {
        throw new Error(`not healthy within ${timeoutMs} ms: executors are ${states.join(', ')}`);
      }
      await sleep(20);
    }
  }

  /** Ends what is left of a case in an orderly way, and says what is not as it must be. */
  async finish(): Promise<string[]> {
    const found: string[] = [];
    for (const path of this.#holds) writeFileSync(path, '');
    await this.#leave().catch((error: Error) => found.push(error.message));
    found.push(...(await this.ledger.audit()));
    if (this.#fake) found.push(...sharedLabs(this.#fake.commands));
    const left = [...(await this.held()), ...(await this.#onRedis(leftInRedis))];
    found.push(...left.map((what) => `left: ${what}`));
    // One broken case is enough.
    if (found.length > 0) await this.#clean();
    await Promise.all([...this.#kept].map(({ proxy }) => proxy[Symbol.asyncDispose]()));
    this.#kept.clear();
    this.ledger.clear();
    this.#fake?.forget();
    return found;
  }

  /** Labs, tokens and leases: what no executor may leave behind. The real platform's labs are looked at after its run. */
  async held(): Promise<string[]> {
    const { gafaelfawrUrl, adminToken } = this.#fake ?? realPlatform();
    const gafaelfawr = new Gafaelfawr(gafaelfawrUrl, adminToken);
    const held = (this.#fake?.labs() ?? []).map((bot) => `lab of ${bot}`);
    for (const bot of this.stack.identities) {
      for (const { tokenType } of await gafaelfawr.listTokens(bot)) held.push(`${tokenType} token of ${bot}`);
    }
    await this.#onRedis(async (redis) => held.push(...(await redis.keys(`${KEY_PREFIX}:lease:*`))));
    return held;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kept of this.#kept) kept.keep = false;
    await this.ledger.close();
    await this.stack[Symbol.asyncDispose]();
    await this.functionProxy[Symbol.asyncDispose]();
    const { sentinels, platformProxy, fake } = this.#extras;
    await (sentinels ?? this.redis)[Symbol.asyncDispose]();
    await platformProxy?.[Symbol.asyncDispose]();
    await fake?.[Symbol.asyncDispose]();
    if (process.env['NOTEBURST_FAULTS_KEEP'] === undefined)
      rmSync(this.dir, { recursive: true, force: true });
  }

  /** Stops all executors in good order, so that they leave nothing behind. */
  async #leave(): Promise<void> {
    // What died under an identity that nobody has taken since is fenced by whoever takes it.
    const running = [...this.#kept].filter(({ keep }) => keep).length;
    const { identities } = this.stack;
    if (running > 0) for (let n = running; n < identities.length; n++) await this.executor();
    for (let tries = 1; ; tries++) {
      // Whoever died has left its lab to whoever comes next.
      await this.healthy(60_000);
      const running = [...this.#kept].filter(({ keep }) => keep);
      for (const kept of running) kept.keep = false;
      await Promise.all([...this.#kept].map(({ executor }) => leave(executor)));
      await Promise.all(running.map(({ watching }) => watching));
      const ends = running.map(({ executor }) => executor.process.end ?? 'nothing');
      if (ends.includes('SIGKILL') || tries > 3)
        throw new Error(`executors asked to stop ended with ${ends.join(', ')}`);
      // One that was evicted just then has left its lab, too.
      const evicted = ends.filter((end) => end !== 'exit code 0');
      if (evicted.length === 0) return;
      for (const _ of evicted) await this.executor();
    }
  }

  async #clean(): Promise<void> {
    for (const bot of this.stack.identities) {
      this.#fake?.revoke(bot);
      this.#fake?.hub(bot).cull();
    }
    await this.#onRedis((redis) => redis.flushdb());
  }

  async #onRedis<T>(use: (redis: Redis) => Promise<T>): Promise<T> {
    const master = (await this.#extras.sentinels?.master()) ?? this.redis;
    const redis = new Redis(master.url);
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  get #fake(): FakePlatform | undefined {
    return this.#extras.fake;
  }

  async #watch(kept: Kept, restart: () => Promise<Executor>): Promise<void> {
    while (kept.keep) {
      const { process } = kept.executor;
      await process.exited;
      kept.ends.push(process.end ?? '');
      if (!kept.keep) return;
      kept.executor = await restart();
      if (!kept.keep) await kept.executor.process.stop();
    }
  }
}

/** The grace for its jobs, and twice as long as it waits for a Redis that does not answer. */
const LEAVE_MS = 15_000;

/** Asks it to stop, and gives it the time that it may take. */
async function leave({ process }: Executor): Promise<void> {
  process.kill('SIGTERM');
  process.kill('SIGCONT');
  await Promise.race([process.exited, sleep(LEAVE_MS, undefined, { ref: false })]);
  await process.stop();
}

/** What an executor says of itself; undefined when it does not answer. */
export async function stateOf({ healthUrl }: Executor): Promise<string | undefined> {
  try {
    const response = await fetch(`${healthUrl}/live`, { signal: AbortSignal.timeout(500) });
    return ((await response.json()) as { state: string }).state;
  } catch {
    return undefined;
  }
}
