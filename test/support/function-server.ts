import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Redis } from 'ioredis';
import { CallerCheck, type TokenOwner } from '../../lib/http/caller.ts';
import type { ApiHandler } from '../../lib/http/handler.ts';
import type { BodyRules } from '../../lib/http/request-body.ts';
import { functionServer, TIMEOUTS } from '../../lib/http/server.ts';
import type { Pool, Pools } from '../../lib/contract/pool.ts';
import type { LiveEvent } from '../../lib/contract/live-event.ts';
import { JobWatch } from '../../lib/queue/job-watch.ts';
import { allowedHost } from '../../lib/outgoing/allowed-hosts.ts';
import type { StoredEvent } from '../../lib/queue/live-events.ts';
import type { Admitted, Submission } from '../../lib/queue/admission.ts';
import type { JobSnapshot } from '../../lib/queue/nbexec-queue.ts';
import type { OwnJobsCursor } from '../../lib/queue/own-jobs.ts';
import type { PoolQueues } from '../../lib/queue/pool-queues.ts';
import type { KeyWrite } from '../../lib/queue/write-script.ts';
import { cancelledOutcome } from '../../lib/queue/verdict.ts';
import { statusHandler } from '../../functions/status/status.ts';
import { submitHandler } from '../../functions/submit/submit.ts';
import { capturedLog } from './log.ts';
import { onePool } from './one-pool.ts';

export const PATH_PREFIX = '/noteburst';
export const API_URL = 'https://data.example.org/noteburst/v1';
export const QUEUE_NAME = 'nbexec';
export const MAX_TIMEOUT_SECONDS = 3_600;

/** What Gafaelfawr knows in these tests: the token of each user. */
export const TOKENS = { alice: 'gt-alice.secretalice', bob: 'gt-bob.secretbob' } as const;

export const SCOPE = 'exec:notebook';

export const tokenCheck = async (token: string): Promise<TokenOwner | undefined> => {
  const known = Object.entries(TOKENS).find(([, value]) => value === token);
  return known && { username: known[0], scopes: [SCOPE] };
};

/** The headers that the ingress sets for a user. */
export const identity = (username: keyof typeof TOKENS): Record<string, string> => ({
  'X-Auth-Request-User': username,
  'X-Auth-Request-Token': TOKENS[username],
});

export interface TestServer extends AsyncDisposable {
  url: string;
  /** Everything it logged. */
  lines: string[];
}

/** Where callbacks may go. */
export const ALLOWED_HOSTS = ['hooks.example.org', '*.lsst.example', 'internal:inside.svc:8443'].flatMap(
  (text) => allowedHost(text) ?? [],
);

/** What the functions' streams do by default in the tests. */
export const STREAM = { streamHeartbeatMs: 15_000, streamMaxMs: 60_000 };

let servers = 0;

/** Serves a handler as the product does, on a port of its own. */
export async function serve(
  handler: ApiHandler,
  ready = async () => true,
  timeouts: Partial<typeof TIMEOUTS> = {},
  bodies?: BodyRules,
): Promise<TestServer> {
  const { log, lines } = capturedLog();
  // The framework keeps its functions by name.
  const all = { ...TIMEOUTS, ...timeouts };
  const server = functionServer(`test-${++servers}`, handler, ready, log, all, bodies);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** Subscribes to everything at once, and never hears of anything. */
class QuietRedis extends EventEmitter {
  readonly subscribe = async () => 1;
  readonly unsubscribe = async () => 1;
  readonly disconnect = () => undefined;
}

/** The queue and the store as maps: what the functions promise can be seen in them. */
export class MemoryParts {
  readonly jobs = new Map<string, JobSnapshot>();
  readonly sources = new Map<string, string>();
  readonly results = new Map<string, string>();
  readonly events = new Map<string, LiveEvent[]>();
  readonly #pools: Pools;
  readonly watch = new JobWatch(() => new QuietRedis() as unknown as Redis, 2);
  readonly store = {
    sourceWrite: async (jobId: string, source: string): Promise<KeyWrite> => ({
      command: 'SET',
      key: jobId,
      args: [source],
    }),
    getSource: async (jobId: string) => this.sources.get(jobId),
    getResult: async (jobId: string, resultId: string) => this.results.get(`${jobId}/${resultId}`),
  };
  readonly queue = {
    add: async (id: string, data: JobSnapshot['data'], along: readonly KeyWrite[] = []) => {
      for (const { command, key, args } of along)
        if (command === 'SET') this.sources.set(key, String(args[0]));
      const added = { enqueuedAtMs: Date.now(), startsInSeconds: 7 };
      this.jobs.set(id, { id, data, state: 'waiting', ...added });
      return added;
    },
    find: async (id: string) => this.jobs.get(id),
    listOwn: async (
      owner: string,
      limit: number,
      after?: OwnJobsCursor,
    ): ReturnType<PoolQueues['listOwn']> => {
      const own = [...this.jobs.values()].filter(({ data }) => data.owner === owner).toReversed();
      const from = after ? own.findIndex(({ id }) => id === after.jobId) + 1 : 0;
      const jobs = own.slice(from, from + limit);
      const last = from + limit < own.length ? jobs.at(-1) : undefined;
      return { jobs, ...(last && { next: { enqueuedAtMs: last.enqueuedAtMs, jobId: last.id } }) };
    },
  };

  readonly readers = new Set<string>();
  /** What the function asked to have admitted. */
  readonly asked: Submission[] = [];
  readonly admission = {
    admit: async (submission: Submission): Promise<Admitted> => {
      this.asked.push(submission);
      return { jobId: submission.jobId, exists: false, confirm: [] };
    },
  };

  readonly live = {
    watch: this.watch,
    events: async (jobId: string, afterId: string) => {
      const after = Number(afterId.split('-')[0]);
      const stored = (this.events.get(jobId) ?? []).map((event, n): StoredEvent => ({
        id: `${n + 1}-0`,
        event,
      }));
      const events = stored.slice(after);
      return { events, lastId: events.at(-1)?.id ?? afterId, more: false };
    },
    cancel: async ({ id }: JobSnapshot) => {
      const job = this.jobs.get(id) as JobSnapshot;
      this.jobs.set(id, { ...job, state: 'ended', finishedAtMs: Date.now(), outcome: cancelledOutcome() });
      return 'ended' as const;
    },
  };

  constructor(otherPools: readonly Pool[] = []) {
    this.#pools = [...onePool(QUEUE_NAME), ...otherPools];
  }

  readonly submit = (): ApiHandler =>
    submitHandler({
      ...this.#common(),
      admission: this.admission,
      maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
      sourceTtlSeconds: 60,
      allowedHosts: ALLOWED_HOSTS,
      courierQueue: 'courier',
    });

  readonly status = (stream = STREAM): ApiHandler => statusHandler({ ...this.#common(), ...stream });

  #common() {
    return {
      callers: new CallerCheck(tokenCheck, SCOPE),
      queue: this.queue,
      store: this.store,
      live: this.live,
      readers: this.readers,
      pools: this.#pools,
      pathPrefix: PATH_PREFIX,
      apiUrl: API_URL,
      maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
    };
  }
}
