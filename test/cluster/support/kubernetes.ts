import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);

/** Everything of the product in the cluster; not where operators have theirs. */
export const NAMESPACE = 'noteburst-test';

const pod = z.object({
  metadata: z.object({
    name: z.string(),
    creationTimestamp: z.string(),
    deletionTimestamp: z.string().optional(),
    labels: z.record(z.string(), z.string()),
  }),
  spec: z.object({ nodeName: z.string().optional() }),
  status: z.object({
    phase: z.string(),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
  }),
});
export type Pod = z.infer<typeof pod>;

/** @throws with what kubectl printed */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const running = run('kubectl', [...args], { timeout: 180_000, maxBuffer: 64 * 2 ** 20 });
  if (input !== undefined) running.child.stdin?.end(input);
  return (await running).stdout;
}

export const inNamespace = (...args: string[]): Promise<string> => kubectl(['-n', NAMESPACE, ...args]);

/** The cluster's API without a kubectl for each question. */
export class ClusterApi implements AsyncDisposable {
  readonly #proxy: ChildProcess;
  readonly #url: string;

  private constructor(proxy: ChildProcess, url: string) {
    this.#proxy = proxy;
    this.#url = url;
  }

  static async start(): Promise<ClusterApi> {
    const proxy = spawn('kubectl', ['proxy', '--port=0', '--address=127.0.0.1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(proxy.stdout), 'line', {
      signal: AbortSignal.timeout(20_000),
    })) as [string];
    return new ClusterApi(proxy, `http://${line.split(' ').at(-1)}`);
  }

  async get(path: string): Promise<unknown> {
    const response = await fetch(this.#url + path, { signal: AbortSignal.timeout(20_000) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** The pods of a program that are there, ending ones included. */
  async pods(program: string): Promise<Pod[]> {
    const selector = encodeURIComponent(`app.kubernetes.io/name=${program}`);
    const list = await this.get(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${selector}`);
    return z.object({ items: z.array(pod) }).parse(list).items;
  }

  /** How many pods a Deployment is to have. */
  async replicas(name: string): Promise<number> {
    const scale = await this.get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}/scale`);
    return z.object({ spec: z.object({ replicas: z.number().default(0) }) }).parse(scale).spec.replicas;
  }

  /** The log of a pod's only own container, as the objects that it wrote. */
  async log(name: string, container: string): Promise<LogLine[]> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/log?container=${container}`;
    const response = await fetch(this.#url + path, { signal: AbortSignal.timeout(20_000) });
    const lines = (await response.text()).split('\n');
    return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#proxy.kill();
    if (this.#proxy.exitCode === null) await once(this.#proxy, 'exit');
  }
}

/** As pino writes it. */
export type LogLine = { time: string; msg: string } & Record<string, unknown>;
