import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NotebookResponse, PostNotebookRequest } from '../../lib/contract/notebooks-api.ts';
import { freePorts } from '../../platform/process/free-port.ts';
import type { ManagedProcess } from '../../platform/process/managed-process.ts';
import { ProcessRecord } from '../../platform/process/process-record.ts';
import { baseEnv } from '../../platform/services/base-env.ts';
import type { ServiceContext } from '../../platform/services/context.ts';
import {
  ENTRIES,
  startExecutor,
  startServer,
  writeIdentities,
  type Executor,
} from '../../platform/services/product.ts';
import { statePaths } from '../../platform/state.ts';
import { platform, type TestPlatform } from './platform.ts';
import { testRunId } from './test-run.ts';

/** Where the service finds what it needs. */
export type StackPlatform = Pick<
  TestPlatform,
  'originUrl' | 'gafaelfawrUrl' | 'repertoireUrl' | 'redisUrl' | 'adminToken' | 'scratchDir'
>;

export interface StackOptions {
  /** The run's platform when absent. */
  on?: StackPlatform;
  /** How many bot identities its executors share. */
  identities?: number;
  executorEnv?: Record<string, string>;
  functionEnv?: Record<string, string>;
}

/**
 * A whole service for one test file: submit, status and executors as processes of their own, on the run's platform
 * but with a queue and bots that nobody else uses.
 */
export class Stack implements AsyncDisposable {
  readonly queueName: string;
  readonly identities: string[];
  readonly #options: StackOptions;
  readonly #platform: StackPlatform;
  readonly #processes: ManagedProcess[] = [];
  readonly #context: ServiceContext;
  readonly #identitiesPath: string;
  readonly #urls = { submit: '', status: '' };
  readonly #tokens = new Map<string, string>();
  #executors = 0;

  private constructor(options: StackOptions) {
    const id = randomBytes(4).toString('hex');
    this.#options = options;
    this.#platform = options.on ?? platform();
    const dir = mkdtempSync(join(this.#platform.scratchDir, 'stack-'));
    this.queueName = `test-${id}`;
    this.identities = Array.from({ length: options.identities ?? 1 }, (_, n) => `bot-${id}-${n + 1}`);
    const runId = testRunId();
    this.#identitiesPath = join(dir, 'identities.yaml');
    writeIdentities(this.#identitiesPath, this.identities);
    this.#context = {
      paths: statePaths(dir),
      record: new ProcessRecord(statePaths(dir).processes, runId),
      env: baseEnv(runId),
      signal: new AbortController().signal,
      started: (process) => void this.#processes.push(process),
    };
  }

  static async start(options: StackOptions = {}): Promise<Stack> {
    const stack = new Stack(options);
    const ports = await freePorts(2);
    await Promise.all(
      (['submit', 'status'] as const).map((name, n) => {
        stack.#urls[name] = `http://127.0.0.1:${ports[n]}`;
        return stack.startFunction(name);
      }),
    );
    return stack;
  }

  /** Starts a function, where it was before. */
  async startFunction(name: 'submit' | 'status'): Promise<void> {
    const env = { ...this.#queues, ...this.#options.functionEnv };
    const port = Number(new URL(this.#urls[name]).port);
    await startServer(this.#context, this.#settings, name, port, env);
  }

  get #settings() {
    const { originUrl, repertoireUrl, redisUrl } = this.#platform;
    return { originUrl, repertoireUrl, redisUrl, logLevel: 'DEBUG', entries: ENTRIES };
  }

  /** Starts a courier, which takes up what callers are told from there on, and what is left of before. */
  async startCourier(env: Record<string, string> = {}): Promise<ManagedProcess> {
    const [port = 0] = await freePorts(1);
    const short = { NOTEBURST_COURIER_LOCK_SECONDS: '2', NOTEBURST_COURIER_FIRST_RETRY_SECONDS: '0.5' };
    const own = { ...this.#queues, ...this.#options.functionEnv, ...short, ...env };
    return startServer(this.#context, this.#settings, 'courier', port, own);
  }

  /** Starts the function that GitHub calls; its URL is that of its routes. */
  async startGithub(env: Record<string, string>): Promise<{ url: string; process: ManagedProcess }> {
    const [port = 0] = await freePorts(1);
    const own = { ...this.#queues, ...env };
    const process = await startServer(this.#context, this.#settings, 'github', port, own);
    return { url: `http://127.0.0.1:${port}/noteburst/github`, process };
  }

  get #queues() {
    const courier = `courier-${this.queueName}`;
    return { NOTEBURST_WORKER_QUEUE_NAME: this.queueName, NOTEBURST_COURIER_QUEUE_NAME: courier };
  }

  /** Starts an executor; its lab is warm when `ready()` of it has resolved. */
  async startExecutor(env: Record<string, string> = {}): Promise<Executor> {
    const [port = 0] = await freePorts(1);
    return startExecutor(this.#context, this.#settings, {
      name: `executor-${++this.#executors}`,
      port,
      adminToken: this.#platform.adminToken,
      identitiesPath: this.#identitiesPath,
      env: {
        NOTEBURST_WORKER_QUEUE_NAME: this.queueName,
        NOTEBURST_WORKER_GRACE_SECONDS: '2',
        ...this.#options.executorEnv,
        ...env,
      },
    });
  }

  /** One of the functions' processes, for tests that kill or freeze it. */
  function(name: 'submit' | 'status'): ManagedProcess {
    return this.#processes.findLast((process) => process.name === name) as ManagedProcess;
  }

  /** Where a function listens. */
  url(name: 'submit' | 'status'): string {
    return this.#urls[name];
  }

  /** What the ingress says of a caller. */
  async identity(user: string): Promise<Record<string, string>> {
    return { 'X-Auth-Request-User': user, 'X-Auth-Request-Token': await this.#token(user) };
  }

  /** A call as the ingress passes it on, with the user's delegated token. */
  async fetch(
    name: 'submit' | 'status',
    path: string,
    init: RequestInit = {},
    user = 'alice',
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    for (const [header, value] of Object.entries(await this.identity(user))) headers.set(header, value);
    return fetch(`${this.#urls[name]}/noteburst${path}`, { ...init, headers });
  }

  /** Submits a notebook and returns its job id. */
  async submit(
    ipynb: unknown,
    options: Partial<Record<keyof PostNotebookRequest, unknown>> = {},
  ): Promise<string> {
    const response = await this.fetch('submit', '/v1/notebooks/', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ipynb, ...options }),
    });
    if (response.status !== 202)
      throw new Error(`submit answered ${response.status}: ${await response.text()}`);
    return ((await response.json()) as NotebookResponse).job_id;
  }

  async job(jobId: string, query = '', user?: string): Promise<NotebookResponse> {
    const response = await this.fetch('status', `/v1/notebooks/${jobId}${query}`, {}, user);
    if (response.status !== 200)
      throw new Error(`status answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as NotebookResponse;
  }

  /** Polls, as a v1 client does, until the job is as wanted. */
  async until(
    jobId: string,
    wanted: (job: NotebookResponse) => boolean,
    { timeoutMs = 30_000, everyMs = 20 } = {},
  ): Promise<NotebookResponse> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const job = await this.job(jobId);
      if (wanted(job)) return job;
      if (performance.now() > deadline) {
        throw new Error(
          `job ${jobId} is not as wanted within ${timeoutMs} ms: ${JSON.stringify(job).slice(0, 500)}`,
        );
      }
      await sleep(everyMs);
    }
  }

  async untilComplete(
    jobId: string,
    options?: { timeoutMs?: number; everyMs?: number },
  ): Promise<NotebookResponse> {
    return this.until(jobId, (job) => job.status === 'complete', options);
  }

  /** Stops what still runs, executors first. */
  async [Symbol.asyncDispose](): Promise<void> {
    const executors = this.#processes.filter((process) => process.name.startsWith('executor'));
    await Promise.all(executors.map((process) => process.stop()));
    await Promise.all(this.#processes.map((process) => process.stop()));
  }

  async #token(user: string): Promise<string> {
    const known = this.#tokens.get(user);
    if (known) return known;
    const { gafaelfawrUrl, adminToken } = this.#platform;
    const response = await fetch(`${gafaelfawrUrl}/tokens`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${adminToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        username: user,
        token_type: 'user',
        token_name: 'test',
        scopes: ['exec:notebook'],
      }),
    });
    const { token } = (await response.json()) as { token: string };
    this.#tokens.set(user, token);
    return token;
  }
}
