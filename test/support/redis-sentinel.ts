import { randomBytes, randomUUID } from 'node:crypto';
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

const MASTER_NAME = 'noteburst';
/** How long a master may be silent until the sentinels replace it. */
const DOWN_AFTER_MS = 500;

/** Three real nodes, a Redis and a sentinel each: one master, two replicas of it, a quorum of two. */
export class SentinelSetup implements AsyncDisposable {
  /** The nodes, in no order: which one is the master changes. */
  readonly servers: readonly TestRedisServer[];
  /** What a process of the service needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The same for clients made in the test. */
  readonly setup: RedisSetup;
  readonly #sentinel: Redis;
  #stack = new AsyncDisposableStack();

  private constructor(servers: TestRedisServer[], ports: number[], sentinel: Redis) {
    this.servers = servers;
    this.#sentinel = sentinel;
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
    const sentinel = stack.adopt(new Redis(ports[0] as number), (client) => client.disconnect());
    sentinel.on('error', () => undefined);
    const setup = new SentinelSetup(servers, ports, sentinel);
    await vi.waitUntil(() => setup.#complete(), { timeout: 10_000, interval: 20 });
    setup.#stack = stack.move();
    return setup;
  }

  /** The node that the sentinels name as the master now. */
  async master(): Promise<TestRedisServer> {
    const [, port] = (await this.#sentinel.call(
      'SENTINEL',
      'get-master-addr-by-name',
      MASTER_NAME,
    )) as string[];
    return this.servers.find((server) => portOf(server) === Number(port)) as TestRedisServer;
  }

  /** The other two. */
  async replicas(): Promise<TestRedisServer[]> {
    const master = await this.master();
    return this.servers.filter((server) => server !== master);
  }

  /** Waits until another node is the master: it takes two or three seconds. @returns the new one */
  async failedOver(from: TestRedisServer): Promise<TestRedisServer> {
    const other = async () => {
      const master = await this.master();
      return master !== from && (await roleOf(master)) === 'master' ? master : false;
    };
    return vi.waitUntil(other, { timeout: 20_000, interval: 20 });
  }

  /** The sentinel that is asked sees both replicas and both other sentinels. */
  async #complete(): Promise<boolean> {
    const told = (await this.#sentinel.call('SENTINEL', 'master', MASTER_NAME)) as string[];
    const value = (name: string) => told[told.indexOf(name) + 1];
    return value('num-slaves') === '2' && value('num-other-sentinels') === '2' && value('flags') === 'master';
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
      env: baseEnv(randomUUID()),
      logDir: dir,
    });
    stack.use(process);
  }
}
