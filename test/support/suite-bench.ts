import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Redis } from 'ioredis';
import type { SuiteJobData } from '../../lib/contract/suite-job.ts';
import { allowedHost, type AllowedHost } from '../../lib/outgoing/allowed-hosts.ts';
import { SuiteRuns } from '../../lib/queue/suite-runs.ts';
import type { CourierTask } from '../../workers/courier/courier-queue.ts';
import { GithubApi } from '../../workers/courier/github/github-api.ts';
import { Outgoing } from '../../workers/courier/outgoing/outgoing.ts';
import { Repositories } from '../../workers/courier/repositories/repositories.ts';
import {
  suiteRunner,
  type SuiteLimits,
  type SuiteParts,
} from '../../workers/courier/suites/run-repository.ts';
import { Turns } from '../../workers/courier/turns.ts';
import { APP_ID, FakeGithub, INSTALLATION } from './fake-github.ts';
import { GitRepository } from './git-repository.ts';
import { capturedLog } from './log.ts';
import { PrivateCa } from './tls-proxy.ts';

const LIMITS: SuiteLimits = { attemptMs: 60_000, runMs: 3_600_000, lastMs: 60_000 };

/** What the service answers, or nothing for a connection that is cut. */
export type ServiceReply = { status: number; json?: object; headers?: Record<string, string> } | undefined;

/** Runs of a repository's suite, on a GitHub that answers over real https, and a service that answers as the test likes. */
export class SuiteBench implements AsyncDisposable {
  readonly runs: SuiteRuns;
  readonly git: GitRepository;
  readonly github: FakeGithub;
  readonly lines: string[];
  /** Forbids all when absent. */
  service: (request: IncomingMessage) => ServiceReply | Promise<ServiceReply> = () => ({ status: 403 });
  readonly #parts: Omit<SuiteParts, 'config' | 'limits'>;
  readonly #dir: string;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #stack: AsyncDisposableStack;

  private constructor(
    redis: Redis,
    github: FakeGithub,
    git: GitRepository,
    caPath: string,
    stack: AsyncDisposableStack,
  ) {
    const { log, lines } = capturedLog();
    const outgoing = new Outgoing([allowedHost(`internal:${github.host}`) as AllowedHost]);
    stack.defer(() => outgoing.close());
    this.#dir = mkdtempSync(join(tmpdir(), 'noteburst-suite-run-'));
    stack.defer(() => rmSync(this.#dir, { recursive: true, force: true }));
    writeFileSync(join(this.#dir, 'token'), 'gt-a.secret');
    this.#stack = stack;
    this.lines = lines;
    this.github = github;
    this.git = git;
    this.runs = new SuiteRuns(redis);
    const { privateKey, apiUrl } = github;
    this.#parts = {
      api: new GithubApi({ apiUrl, appId: APP_ID, privateKey }, outgoing),
      repositories: new Repositories({
        outgoing,
        dir: this.#dir,
        maxBytes: 2 ** 22,
        timeoutMs: 20_000,
        limits: { files: 100, bytes: 2 ** 20 },
        caPath,
      }),
      runs: this.runs,
      redis,
      turns: new Turns(),
      reportsUrl: 'https://data.example.org/noteburst/github',
      log,
    };
  }

  static async start(redis: Redis): Promise<SuiteBench> {
    const stack = new AsyncDisposableStack();
    const before = getCACertificates('default');
    const ca = stack.use(await PrivateCa.make());
    setDefaultCACertificates([...before, readFileSync(ca.path, 'utf8')]);
    stack.defer(() => setDefaultCACertificates(before));
    const git = stack.use(new GitRepository('team/tutorials'));
    const github = stack.use(await FakeGithub.start(ca, git));
    const bench = new SuiteBench(redis, github, git, ca.path, stack);
    bench.#server.listen(0, '127.0.0.1');
    await once(bench.#server, 'listening');
    stack.defer(() => {
      bench.#server.close();
      bench.#server.closeAllConnections();
    });
    return bench;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = await this.service(request);
    if (!reply) return void request.socket.destroy();
    response.writeHead(reply.status, { 'Content-Type': 'application/json', ...reply.headers });
    response.end(reply.json && JSON.stringify(reply.json));
  }

  /** As at the beginning; commits and clones stay. */
  reset(): void {
    this.github.checkRuns.length = 0;
    this.github.asked.length = 0;
    this.github.instead = () => undefined;
    this.service = () => ({ status: 403 });
    this.lines.length = 0;
  }

  /** An attempt at a run: the first, and the last, of a push, where nothing else is said. */
  async run(
    job: Pick<SuiteJobData, 'commit' | 'run'> & Partial<SuiteJobData>,
    task: Partial<CourierTask> = {},
    limits: Partial<SuiteLimits> = {},
  ): Promise<void> {
    const { port } = this.#server.address() as AddressInfo;
    const config = {
      hostUrl: `https://${this.github.host}`,
      publicUrl: 'https://data.example.org/noteburst',
      serviceUrl: `http://127.0.0.1:${port}`,
      tokenPath: join(this.#dir, 'token'),
    };
    const of = { repository: this.git.name, installation: INSTALLATION, branch: 'main' } as const;
    const data: SuiteJobData = { version: 1, ...of, event: 'push', ...job };
    const { signal } = new AbortController();
    const suite = suiteRunner({ ...this.#parts, config, limits: { ...LIMITS, ...limits } });
    await suite({ data, attempt: 1, losses: 0, isLast: true, signal, ...task });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
