import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { z } from 'zod';
import { parseEnv } from '../../lib/config/env.ts';
import { redisEnv, redisSetup, type RedisSetup } from '../../lib/config/redis-env.ts';
import { freePorts } from '../../platform/process/free-port.ts';
import { ManagedProcess } from '../../platform/process/managed-process.ts';
import { baseEnv } from '../../platform/services/base-env.ts';
import { findRedisServer } from '../../platform/setup/redis-server.ts';
import { DEFAULT_STATE_DIR } from '../../platform/state.ts';
import { TestRedisServer } from './redis-server.ts';
import { testRunId } from './test-run.ts';

const MASTER_NAME = 'noteburst';
/** How long a master may be silent until the sentinels replace it: longer than a busy machine makes it wait. */
const DOWN_AFTER_MS = 1_500;

/** Three real nodes, a Redis and a sentinel each: one master, two replicas of it, a quorum of two. */
export class SentinelSetup implements AsyncDisposable {
  /** The nodes, in no order: which one is the master changes. */
  readonly servers: readonly TestRedisServer[];
  /** What a process of the service needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The same for clients made in the test. */
  readonly setup: RedisSetup;
  readonly #sentinels: readonly Redis[];
  #stack = new AsyncDisposableStack();

  private constructor(servers: TestRedisServer[], ports: number[], sentinels: Redis[]) {
    this.servers = servers;
    this.#sentinels = sentinels;
    const env = {
      NOTEBURST_REDIS_URL: 'redis://sentinel/0',
      NOTEBURST_REDIS_SENTINELS: ports.map((port) => `127.0.0.1:${port}`).join(','),
      NOTEBURST_REDIS_SENTINEL_MASTER: MASTER_NAME,
    };
    this.env = env;
    this.setup = redisSetup(parseEnv(z.object(redisEnv), env));
  }

  static async start(): Promise<SentinelSetup> {
    await using stack = new AsyncDisposableStack();
    const servers = await Promise.all(Array.from({ length: 3 }, () => TestRedisServer.start()));
    for (const server of servers) stack.use(server);
    await follow(servers as [TestRedisServer, ...TestRedisServer[]]);
    const ports = await freePorts(3);
    await startSentinels(ports, servers.map(portOf), stack);
    const sentinels = ports.map((port) => {
      const sentinel = stack.adopt(new Redis(port), (client) => client.disconnect());
      return sentinel.on('error', () => undefined);
    });
    const setup = new SentinelSetup(servers, ports, sentinels);
    await vi.waitUntil(() => setup.#complete(), { timeout: 10_000, interval: 20 });
    setup.#stack = stack.move();
    return setup;
  }

  /** The node that the first of the sentinels names as the master now. */
  async master(): Promise<TestRedisServer> {
    const [told] = await this.#told();
    return this.servers.find((server) => portOf(server) === Number(told?.get('port'))) as TestRedisServer;
  }

  /** The other two. */
  async replicas(): Promise<TestRedisServer[]> {
    const master = await this.master();
    return this.servers.filter((server) => server !== master);
  }

  /**
   * Waits until all sentinels name another node as the master, and are done with making it so: one that has not heard of
   * it would make a master of the old one when that comes back. @returns the new one
   */
  async failedOver(from: TestRedisServer): Promise<TestRedisServer> {
    const other = async () => {
      const told = await this.#told();
      const isDone = told.every((master) => master.get('flags') === 'master');
      const port = Number(told[0]?.get('port'));
      if (!isDone || port === portOf(from) || told.some((master) => Number(master.get('port')) !== port)) {
        return false;
      }
      const next = this.servers.find((server) => portOf(server) === port) as TestRedisServer;
      return (await roleOf(next)) === 'master' ? next : false;
    };
    return vi.waitUntil(other, { timeout: 20_000, interval: 20 });
  }

  /** Each sees both replicas and both other sentinels. */
  async #complete(): Promise<boolean> {
    const complete = { 'num-slaves': '2', 'num-other-sentinels': '2', flags: 'master' };
    return (await this.#told()).every((master) =>
      Object.entries(complete).every(([name, value]) => master.get(name) === value),
    );
  }

  /** What each sentinel says of the master. */
  async #told(): Promise<Map<string, string>[]> {
    const answers = await Promise.all(
      this.#sentinels.map((sentinel) => sentinel.call('SENTINEL', 'master', MASTER_NAME)),
    );
    return (answers as string[][]).map(
      (fields) => new Map(fields.flatMap((name, n) => (n % 2 ? [] : [[name, fields[n + 1] as string]]))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const portOf = (server: TestRedisServer): number => Number(new URL(server.url).port);

async function roleOf(server: TestRedisServer): Promise<string> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.adopt(new Redis(server.url, { commandTimeout: 500 }), (client) => client.disconnect());
  redis.on('error', () => undefined);
  return String((await redis.role().catch(() => []))[0]);
}

/** Makes all but the first replicas of it, and waits until they are in step. */
async function follow([first, ...others]: [TestRedisServer, ...TestRedisServer[]]): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const client = ({ url }: TestRedisServer) =>
    stack.adopt(new Redis(url), (connection) => connection.disconnect());
  const master = client(first);
  // Nothing else is to be waited for.
  await master.config('SET', 'repl-diskless-sync-delay', '0');
  for (const other of others) await client(other).replicaof('127.0.0.1', portOf(first));
  await vi.waitUntil(async () => (await master.wait(others.length, 100)) === others.length, {
    timeout: 10_000,
    interval: 20,
  });
}

/** They know of each other from the beginning: finding out takes them seconds. */
async function startSentinels(
  ports: number[],
  redisPorts: number[],
  stack: AsyncDisposableStack,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'noteburst-sentinel-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const server = await findRedisServer(join(DEFAULT_STATE_DIR, 'venv', 'std6'));
  const [master, ...replicas] = redisPorts;
  const ids = ports.map(() => randomBytes(20).toString('hex'));
  for (const [n, port] of ports.entries()) {
    const others = ports.flatMap((other, m) =>
      m === n ? [] : [`${MASTER_NAME} 127.0.0.1 ${other} ${ids[m]}`],
    );
    const file = join(dir, `${port}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      'set-proc-title no',
      `dir ${dir}`,
      `sentinel myid ${ids[n]}`,
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER_NAME} 3000`,
      ...replicas.map((replica) => `sentinel known-replica ${MASTER_NAME} 127.0.0.1 ${replica}`),
      ...others.map((other) => `sentinel known-sentinel ${other}`),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const process = new ManagedProcess({
      name: `sentinel-${port}`,
      command: server.path,
      args: [file, '--sentinel'],
      env: baseEnv(testRunId()),
      logDir: dir,
    });
    stack.use(process);
  }
}
