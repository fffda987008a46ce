import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { queueNameOf } from '../../../lib/contract/nbexec-job.ts';
import { notebookResponse, type NotebookResponse } from '../../../lib/contract/notebooks-api.ts';
import { startPlatform, type Platform } from '../../../platform/platform.ts';
import { StepList } from '../../../platform/setup/steps.ts';
import { codeCell, ipynb } from '../../support/notebooks.ts';
import { TestRedisServer } from '../../support/redis-server.ts';
import { testRunId } from '../../support/test-run.ts';
import { deploy, gatewayUrl, OVERLAY, removeNamespace, users } from './deployment.ts';
import { loadImages } from './images.ts';
import { Outside } from './outside.ts';
import { ClusterApi, inNamespace, kubectl, NAMESPACE, type Pod } from './kubernetes.ts';

export const EXECUTORS = 'executor-nbexec';
const PROGRAMS = ['submit', 'status', 'github', 'executor', 'courier'];
const PAUSED = 'autoscaling.keda.sh/paused-replicas';

/** The service in a real cluster, with a real platform and Redis beside it on this machine. */
export class Cluster implements AsyncDisposable {
  readonly api: ClusterApi;
  readonly platform: Platform;
  readonly redis: TestRedisServer;
  readonly outside: Outside;
  /** Looks into Redis. */
  readonly admin: Redis;
  readonly #token: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    api: ClusterApi,
    platform: Platform,
    redis: TestRedisServer,
    outside: Outside,
    token: string,
    stack: AsyncDisposableStack,
  ) {
    this.api = api;
    this.platform = platform;
    this.redis = redis;
    this.outside = outside;
    this.admin = new Redis(redis.url, { maxRetriesPerRequest: null });
    this.admin.on('error', () => undefined);
    this.#token = token;
    this.#stack = stack;
  }

  /**
   * @param host the address at which pods reach this machine
   * @param imageCommand see {@link loadImages}; without it the cluster must have the images already
   */
  static async start(host: string, imageCommand: string | undefined): Promise<Cluster> {
    await using stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'noteburst-cluster-'));
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    const steps = new StepList();
    await steps.run('Images', async () => {
      if (imageCommand !== undefined) await loadImages(imageCommand);
    });
    const platform = stack.use(
      await startPlatform({
        stateDir: join(folder, 'platform'),
        host,
        functions: false,
        steps,
        runId: testRunId(),
      }),
    );
    const aclfile = join(folder, 'users.acl');
    const { version } = await TestRedisServer.program();
    writeFileSync(aclfile, users(version));
    const redis = stack.use(await TestRedisServer.start(host, { aclfile }));
    const outside = stack.use(await Outside.start(host));
    const api = stack.use(await ClusterApi.start());
    const token = await platform.createToken({ username: 'alice' });
    const cluster = new Cluster(api, platform, redis, outside, token, stack.move());
    try {
      await steps.run('Manifests', () => cluster.#deploy());
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #deploy(): Promise<void> {
    await removeNamespace();
    this.#stack.defer(removeNamespace);
    await deploy(this.platform, this.redis.url, this.outside);
    const url = await gatewayUrl();
    for (const name of ['submit', 'status'] as const)
      this.platform.route(name, { url, vhost: `${name}.${NAMESPACE}.svc.cluster.local` });
  }

  /** What an operator runs. */
  apply(): Promise<string> {
    return kubectl(['apply', '-k', OVERLAY]);
  }

  /** What another apply would change; empty when nothing. */
  async diff(): Promise<string> {
    try {
      return await kubectl(['diff', '-k', OVERLAY]);
    } catch (error) {
      const { code, stdout } = error as { code: number; stdout: string };
      if (code !== 1) throw error;
      return stdout;
    }
  }

  /** A request through the ingress, as alice. */
  request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.#token}`, ...(init.headers as Record<string, string>) };
    return fetch(`${this.platform.noteburstUrl}${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(60_000),
    });
  }

  /** Submits a notebook of these cells. @returns its id */
  async submit(cells: string[], options: object = {}): Promise<string> {
    const body = JSON.stringify({
      ipynb: ipynb({ cells: cells.map(codeCell) }),
      kernel_name: 'python3',
      ...options,
    });
    const response = await this.request('/v1/notebooks/', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    });
    if (response.status !== 202) throw new Error(`submit: ${response.status} ${await response.text()}`);
    return notebookResponse.parse(await response.json()).job_id;
  }

  async job(id: string): Promise<NotebookResponse> {
    const response = await this.request(`/v1/notebooks/${id}`);
    if (response.status !== 200) throw new Error(`status: ${response.status} ${await response.text()}`);
    return notebookResponse.parse(await response.json());
  }

  /** Waits, by the queue and so without waking a function, until a job has ended; then reads it as its owner does. */
  async ended(id: string, timeoutMs: number): Promise<NotebookResponse> {
    const queue = queueNameOf(id);
    await until(`${id} ends`, timeoutMs, () =>
      this.admin.hexists(`{noteburst}:${queue}:${id}`, 'finishedOn'),
    );
    return this.job(id);
  }

  /** When a job ended, ms since the epoch. */
  async finishedAt(id: string): Promise<number> {
    return Number(await this.admin.hget(`{noteburst}:${queueNameOf(id)}:${id}`, 'finishedOn'));
  }

  /** How often the queue was told of an end, for each job that ended. */
  async ends(queue = 'nbexec'): Promise<Map<string, number>> {
    const ends = new Map<string, number>();
    for (const [, fields] of await this.admin.xrange(`{noteburst}:${queue}:events`, '-', '+')) {
      const field = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
      if (['completed', 'failed'].includes(field('event')))
        ends.set(field('jobId'), (ends.get(field('jobId')) ?? 0) + 1);
    }
    return ends;
  }

  /** Holds the executors at a number, whatever KEDA counts. */
  pause(replicas: number): Promise<string> {
    return inNamespace('annotate', 'scaledobject', EXECUTORS, '--overwrite', `${PAUSED}=${replicas}`);
  }

  /** Leaves them to KEDA again. */
  resume(): Promise<string> {
    return inNamespace('annotate', 'scaledobject', EXECUTORS, `${PAUSED}-`);
  }

  /** Pods of all programs that are there. */
  async pods(): Promise<Pod[]> {
    return (await Promise.all(PROGRAMS.map((name) => this.api.pods(name)))).flat();
  }

  /** Waits until nothing runs. */
  gone(timeoutMs: number): Promise<void> {
    return until('no pod runs', timeoutMs, async () => (await this.pods()).length === 0);
  }

  /** Waits until nothing runs and nothing is left of what ran. @returns how many seconds that took */
  async asleep(timeoutMs = 180_000): Promise<number> {
    const begun = performance.now();
    await this.gone(timeoutMs);
    const seconds = (performance.now() - begun) / 1_000;
    const left = [
      ...(await this.platform.labs()).map(({ username }) => `lab of ${username}`),
      ...(await this.admin.keys('{noteburst}:lease:*')),
      ...(await this.#botTokens()),
    ];
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    return seconds;
  }

  async #botTokens(): Promise<string[]> {
    const bots = ['01', '02', '03', '04', '05', '06'].map((n) => `bot-noteburst${n}`);
    const lists = bots.map(async (bot) => {
      const response = await fetch(`${this.platform.originUrl}/auth/api/v1/users/${bot}/tokens`, {
        headers: { Authorization: `Bearer ${this.platform.adminToken}` },
      });
      const tokens = response.status === 404 ? [] : ((await response.json()) as unknown[]);
      return tokens.map(() => `token of ${bot}`);
    });
    return (await Promise.all(lists)).flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.disconnect();
    await this.#stack.disposeAsync();
  }
}

/** Waits for a condition; not a retry, what it asks may fail. */
export async function until(
  what: string,
  timeoutMs: number,
  is: () => unknown,
  everyMs = 100,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await is())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`);
    await sleep(everyMs);
  }
}
