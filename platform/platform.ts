import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { allEnded } from './process/errors.ts';
import { lockHolder, tryLock } from './process/file-lock.mjs';
import { freePorts } from './process/free-port.ts';
import { sweepRun } from './process/leftovers.ts';
import type { ManagedProcess } from './process/managed-process.ts';
import { endLeftovers, ProcessRecord } from './process/process-record.ts';
import { startOrigin, type Upstream, type Upstreams } from './origin/origin.ts';
import { serialize, TokenStore } from './origin/token-store.ts';
import { baseEnv } from './services/base-env.ts';
import type { ServiceContext } from './services/context.ts';
import { startHub, type RunningLab } from './services/hub.ts';
import { ENTRIES, startExecutor, startServer, writeIdentities } from './services/product.ts';
import type { Entries, Executor } from './services/product.ts';
import { startRedis } from './services/redis.ts';
import { setUp } from './setup/set-up.ts';
import { silentSteps, type StepList } from './setup/steps.ts';
import { statePaths, type LabKind } from './state.ts';

export interface PlatformOptions {
  stateDir: string;
  /** Which Python environment the labs have. */
  kind?: LabKind;
  /** Where the Python environments are, which several state folders may share. */
  venvRoot?: string;
  /** The address of the origin and of Redis, 127.0.0.1 when left out; another one is for pods beside the platform. */
  host?: string;
  /** Must be free; any free one when left out. */
  originPort?: number;
  redisPort?: number;
  /** The bot users that executors may lease. */
  identities?: readonly string[];
  /** How many executors to start. */
  executors?: number;
  executorEnv?: Record<string, string>;
  /** Whether to start submit and status. */
  functions?: boolean;
  functionEnv?: Record<string, string>;
  /** Where callbacks may go, with a courier that delivers them; none when left out. */
  callbackHosts?: string;
  /** Other entry points than the product's. */
  entries?: Partial<Entries>;
  logLevel?: string;
  steps?: StepList;
  /** By which its processes are found, for whoever ends them if this process cannot; any when left out. */
  runId?: string;
}

/** Somebody else runs a platform on this state folder. */
export class AlreadyRunningError extends Error {
  override name = 'AlreadyRunningError';
}

export interface TokenRequest {
  username: string;
  scopes?: readonly string[];
  lifetimeSeconds?: number;
}

/** A running local science platform. */
export interface Platform extends AsyncDisposable {
  originUrl: string;
  noteburstUrl: string;
  /** The hub's own proxy, past the ingress. */
  hubUrl: string;
  redisUrl: string;
  repertoireUrl: string;
  adminToken: string;
  venvDir: string;
  logDir: string;
  /** The executors that were started with the platform. */
  executors: readonly Executor[];
  /** A token as a person or a service would have it from Gafaelfawr. */
  createToken(request: TokenRequest): Promise<string>;
  /** Starts one more executor; `ready()` of the answer waits until its lab is warm. */
  startExecutor(env?: Record<string, string>): Promise<Executor>;
  /** Points a route of the origin to another upstream, or to none. */
  route(name: keyof Upstreams, upstream: Upstream | undefined): void;
  /** The labs that the hub has, being started and stopped ones included. */
  labs(): Promise<RunningLab[]>;
  /** Stops everything, in reverse order and bounded in time; throws at the end what went wrong on the way. */
  stop(): Promise<void>;
}

/**
 * Sets up what is missing and starts the platform. When it fails or is aborted, everything is stopped before it throws.
 * The signal ends the start alone; a platform that has started ends by `stop`.
 */
export async function startPlatform(options: PlatformOptions, signal?: AbortSignal): Promise<Platform> {
  const paths = statePaths(options.stateDir);
  mkdirSync(options.stateDir, { recursive: true });
  const unlock = tryLock(paths.lock);
  if (!unlock) {
    throw new AlreadyRunningError(
      `a platform is already running on ${options.stateDir} (process ${lockHolder(paths.lock)?.pid ?? 'unknown'}).\n` +
        'Use that one, or stop it first (Ctrl-C where it runs, or kill with that number).',
    );
  }
  const stack: Stop[] = [unlock];
  // What a start that was killed has left tells of a platform that is no more.
  rmSync(paths.ready, { force: true });
  try {
    return await start(options, paths, stack, signal ?? new AbortController().signal);
  } catch (error) {
    await stopAll(stack).catch(() => {});
    throw error;
  }
}

/** Ends at once whatever a platform on this state folder has running, for an exit that cannot wait. */
export const forceStop = (stateDir: string): Promise<number> =>
  endLeftovers(statePaths(stateDir).processes, 0);

type Stop = () => void | Promise<void>;

async function start(
  options: PlatformOptions,
  paths: ReturnType<typeof statePaths>,
  stack: Stop[],
  signal: AbortSignal,
): Promise<Platform> {
  const steps = options.steps ?? silentSteps();
  const kind = options.kind ?? 'std6';
  const host = options.host ?? '127.0.0.1';
  if (existsSync(paths.processes)) {
    await steps.run('Left over from an earlier start', async ({ note }) => {
      note(`${await endLeftovers(paths.processes)} processes ended`);
    });
  }
  const { venvRoot } = options;
  const { venvDirs, redisServer } = await setUp({ steps, signal, kinds: [kind], venvRoot });
  const [venvDir = ''] = venvDirs;

  const runId = options.runId ?? randomBytes(16).toString('hex');
  const record = new ProcessRecord(paths.processes, runId);
  stack.push(async () => {
    await sweepRun(runId, 1_000);
    record.delete();
  });
  // One level of the stack for each kind of process: those of one level are stopped at the same time.
  const level = (): ManagedProcess[] => {
    const processes: ManagedProcess[] = [];
    stack.push(() => allEnded(processes.map((process) => process.stop())));
    return processes;
  };
  const env = baseEnv(runId);
  const contextFor = (processes: ManagedProcess[]): ServiceContext => ({
    paths,
    record,
    env,
    signal,
    started: (process) => void processes.push(process),
  });

  const [
    proxyPort = 0,
    proxyApi = 0,
    hubPort = 0,
    submitPort = 0,
    statusPort = 0,
    courierPort = 0,
    anyRedisPort = 0,
  ] = await freePorts(7);
  const store = new TokenStore();
  const upstreams: Upstreams = { hub: { url: `http://127.0.0.1:${proxyPort}` } };
  if (options.functions !== false) {
    upstreams.submit = { url: `http://127.0.0.1:${submitPort}` };
    upstreams.status = { url: `http://127.0.0.1:${statusPort}` };
  }
  const redisContext = contextFor(level());
  const origin = await steps.run('Origin (ingress, Gafaelfawr, discovery)', async ({ note }) => {
    const origin = await startOrigin(store, upstreams, { port: options.originPort, host });
    note(origin.url);
    return origin;
  });
  stack.push(() => origin.close());
  const repertoireUrl = `${origin.url}/repertoire`;
  const admin = store.create({ username: 'bot-noteburst', tokenType: 'service', scopes: ['admin:token'] });
  const settings = {
    originUrl: origin.url,
    repertoireUrl,
    redisUrl: `redis://${host}:${options.redisPort ?? anyRedisPort}/0`,
    logLevel: options.logLevel ?? 'INFO',
    entries: { ...ENTRIES, ...options.entries },
  };

  const hubContext = contextFor(level());
  const productContext = contextFor(level());
  const startingHub = steps.run('JupyterHub', () =>
    startHub(hubContext, venvDir, { proxy: proxyPort, proxyApi, hub: hubPort }, origin.url),
  );
  const startingFunctions = async (): Promise<void> => {
    const { port } = new URL(settings.redisUrl);
    await steps.run('Redis', async ({ note }) => {
      await startRedis(redisContext, redisServer, Number(port), host);
      note(redisServer.version);
    });
    if (options.functions === false) return;
    const { callbackHosts, functionEnv = {} } = options;
    const env = {
      ...functionEnv,
      ...(callbackHosts !== undefined && { NOTEBURST_CALLBACK_ALLOWED_HOSTS: callbackHosts }),
    };
    await steps.run('Functions (submit, status)', async () => {
      await allEnded([
        startServer(productContext, settings, 'submit', submitPort, env),
        startServer(productContext, settings, 'status', statusPort, env),
      ]);
    });
    if (callbackHosts === undefined) return;
    await steps.run('Courier', async () => {
      await startServer(productContext, settings, 'courier', courierPort, env);
    });
  };
  // Both are waited for even if one fails, so that nothing is started any more when the stopping begins.
  await allEnded([startingHub, startingFunctions()]);
  const hub = await startingHub;

  const identitiesPath = join(options.stateDir, 'identities.yaml');
  writeIdentities(identitiesPath, options.identities ?? ['bot-noteburst01']);
  let executorCount = 0;
  const platform: Platform = {
    originUrl: origin.url,
    noteburstUrl: `${origin.url}/noteburst`,
    hubUrl: hub.url,
    redisUrl: settings.redisUrl,
    repertoireUrl,
    adminToken: serialize(admin),
    venvDir,
    logDir: paths.logs,
    executors: [],
    createToken: async ({ username, scopes = ['exec:notebook', 'read:tap'], lifetimeSeconds }) => {
      const now = Math.floor(Date.now() / 1000);
      const expires = lifetimeSeconds === undefined ? {} : { expires: now + lifetimeSeconds };
      return serialize(
        store.create({ username, tokenType: 'user', tokenName: `local ${now}`, scopes, ...expires }),
      );
    },
    startExecutor: async (env = {}) => {
      const [port = 0] = await freePorts(1);
      const name = `executor-${++executorCount}`;
      return startExecutor(productContext, settings, {
        name,
        port,
        adminToken: serialize(admin),
        identitiesPath,
        env: { ...options.executorEnv, ...env },
      });
    },
    route: (name, upstream) => {
      if (upstream === undefined) delete upstreams[name];
      else upstreams[name] = upstream;
    },
    labs: hub.labs,
    stop: () => (stopping ??= stopAll(stack)),
    [Symbol.asyncDispose]: () => platform.stop(),
  };
  let stopping: Promise<void> | undefined;
  const executors = Array.from({ length: options.executors ?? 0 }, () => platform.startExecutor());
  platform.executors = await Promise.all(executors);
  return platform;
}

/** The last started is stopped first; one that fails keeps none of the others from being stopped. */
async function stopAll(stack: Stop[]): Promise<void> {
  const errors: unknown[] = [];
  for (let stop = stack.pop(); stop; stop = stack.pop()) {
    try {
      await stop();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'the platform did not stop cleanly');
}
