import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../platform/process/free-port.ts';
import type { ManagedProcess } from '../../platform/process/managed-process.ts';
import { ProcessRecord } from '../../platform/process/process-record.ts';
import { baseEnv } from '../../platform/services/base-env.ts';
import { startRedis } from '../../platform/services/redis.ts';
import { findRedisServer, type RedisServer } from '../../platform/setup/redis-server.ts';
import { DEFAULT_STATE_DIR, statePaths } from '../../platform/state.ts';
import { testRunId } from './test-run.ts';

/** A real Redis of a test's own, that may be killed, frozen and started again on its port. */
export class TestRedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #dir: string;
  readonly #port: number;
  readonly #host: string;
  readonly #settings: Record<string, string>;
  #process: ManagedProcess | undefined;

  private constructor(port: number, host: string, settings: Record<string, string>) {
    this.#port = port;
    this.#host = host;
    this.#settings = settings;
    this.#dir = mkdtempSync(join(tmpdir(), 'noteburst-redis-'));
    this.url = `redis://${host}:${port}/0`;
  }

  /** @param settings further ones, as its configuration file names them */
  static async start(host = '127.0.0.1', settings: Record<string, string> = {}): Promise<TestRedisServer> {
    const port = await freePort();
    if (port === undefined) throw new Error('no port is free');
    const server = new TestRedisServer(port, host, settings);
    await server.start();
    return server;
  }

  /** What it is, for those who must know before it is started. */
  static program(): Promise<RedisServer> {
    return findRedisServer(join(DEFAULT_STATE_DIR, 'venv', 'std6'));
  }

  /** Starts it again, with the data it had. */
  async start(): Promise<void> {
    const paths = statePaths(this.#dir);
    const runId = testRunId();
    const context = {
      paths,
      record: new ProcessRecord(paths.processes, runId),
      env: baseEnv(runId),
      signal: AbortSignal.timeout(30_000),
      started: (process: ManagedProcess) => void (this.#process = process),
    };
    const server = await TestRedisServer.program();
    await startRedis(context, server, this.#port, this.#host, this.#settings);
  }

  /** kill -9, and wait until it is gone. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.exited;
  }

  /** It keeps its connections and answers nothing. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
